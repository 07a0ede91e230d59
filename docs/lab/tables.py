"""Writes scikit-learn's breast cancer table as signals, breast-cancer.npz, each column scaled to 0..1.

ganforge builds no GAN for tables (docs/other-data.md). To see why, measure one beside a copula and SMOTE:

    python docs/lab/tables.py
    ganforge benchmark other-data --data breast-cancer.npz --recipe cgan
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

values, labels = load_breast_cancer(return_X_y=True)
low, high = values.min(0), values.max(0)
np.savez("breast-cancer.npz", signals=(values - low) / (high - low), labels=labels)
