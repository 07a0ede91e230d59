"""The formats that ganforge does not support: how each is recognised, and what its user can do.

The first kind that matches is taken, so that a special kind stands before the general one.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

CONVERT, TRUSTED = "convert it: ", "if you trust where it comes from, convert it: "
SAVE = (
    "numpy.savez('{stem}.npz', **(d if isinstance(d, dict) else dict(zip(('images', 'labels'), d)) "
    "if len(d) == 2 else {'images': d}))"
)
"""Saves ``d``: a dict of arrays, a pair of images and labels, or images alone."""
IMAGEMAGICK = 'convert it with ImageMagick: magick "{path}" "{stem}.png"'
GIVE_PICTURES = "give the folder or archive that holds the pictures"
OTHER_DATA = "give the pictures or arrays themselves"
CAMERA = (".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
"""Endings of camera raw files, most of which are TIFFs; a plain TIFF reader would return their thumbnail."""
PICKLED = rb"\x80[\x02-\x05]"
PICKLED_AS_TEXT = rb"[(\]}][dl]?[pq][\d\x00]|c(numpy|copy_?reg|__builtin__|builtins|collections)[\w.]*\n"


@dataclass(frozen=True)
class Kind:
    """An unsupported kind of file or folder.

    Attributes:
        description: the name of the kind, with an article.
        advice: what to do. Placeholders: ``{path}`` for the file's path, ``{stem}`` for its name without the ending,
            ``{folder}`` for its folder, and ``{ending}`` for its ending.
        python: the code of a Python command that ends the advice, with the same placeholders.
        start: a regular expression for the first bytes.
        name: a regular expression that the name in lower case must match too.
        endings: name endings, used only if the first bytes match no kind.
        members: regular expressions for member names; a zip or folder of this kind has a match for each of them, at
            the top level or in one folder.
        zipped: whether a file of this kind is itself a zip.
    """

    description: str
    advice: str = CONVERT
    python: str = ""
    start: bytes = b""
    name: str = ""
    endings: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    zipped: bool = False

    def archive_message(self, name: str) -> str:
        """Return the error message for an archive of this name that is, or holds, a file of this kind."""
        if self.zipped:
            return self.message(name)
        return f"holds {self.description}, which is not supported; unpack it first"

    def message(self, name: str) -> str:
        """Return the error message for a file of this name: its kind, and what to do."""
        return f"is {self.description}, which is not supported; {self.remedy(name)}"

    def remedy(self, name: str) -> str:
        """Return the advice with the placeholders filled in for a file of this name."""
        path, prefix = PurePosixPath(name.replace("\\", "/")), ""
        if (unpack := UNPACK.get(path.suffix.lower())) and not self.advice.startswith("unpack"):
            prefix, path = f'unpack it ({unpack} "{_shell_safe(str(path))}"), then ', path.with_suffix("")
        values = {
            "path": str(path),
            "stem": path.name.split(".")[0] or "images",
            "folder": str(path.parent),
            "ending": path.suffix,
        }
        advice = self.advice + (f'python -c "{self.python}"' if self.python else "")
        return prefix + re.sub(r"\{(path|stem|folder|ending)\}", lambda found: _shell_safe(values[found[1]]), advice)


UNPACK = {".gz": "python -m gzip -d", ".bz2": "bunzip2 -k", ".xz": "unxz -k"}
"""Commands that unpack a single compressed file, by its ending."""


def _shell_safe(name: str) -> str:
    """Return the name if it is safe between quotes in a shell and in Python, else a placeholder."""
    return name if re.fullmatch(r"[\w./ :~+@,=()-]*", name) else "FILE"


KINDS = (
    # Python's and other arrays
    Kind("a TorchScript model", OTHER_DATA, members=(r"constants\.pkl", "code/.*"), zipped=True),
    Kind(
        "a file of torch.save",
        python="import numpy, torch; d = torch.load('{path}', weights_only=True); " + SAVE,
        start=rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.",
        endings=(".pt", ".pth"),
        members=(r"data\.pkl", "version"),
        zipped=True,
    ),
    Kind(
        "CIFAR-10 in its Python version (pickled)",
        "use --data cifar10, or, " + TRUSTED,
        python="import numpy, pickle; b = [pickle.load(open('{path}/' + n, 'rb'), encoding='latin1') for n in "
        "['data_batch_%d' % i for i in range(1, 6)] + ['test_batch']]; numpy.savez('{stem}.npz', "
        "x_train=numpy.concatenate([d['data'] for d in b[:5]]).reshape(-1, 3, 32, 32), "
        "y_train=sum((d['labels'] for d in b[:5]), []), x_test=b[5]['data'].reshape(-1, 3, 32, 32), "
        "y_test=b[5]['labels'])",
        members=("data_batch_1", "test_batch"),
    ),
    Kind(
        "a pickled batch of CIFAR",
        TRUSTED,
        python="import numpy, pickle; d = pickle.load(open('{path}', 'rb'), encoding='latin1'); "
        "numpy.savez('{stem}.npz', images=d['data'].reshape(-1, 3, 32, 32), labels=d.get('labels', "
        "d.get('fine_labels')))",
        start=PICKLED + rb".{0,40}(batch_label|filenames)",
    ),
    Kind(
        "a pickle of MNIST in three parts",
        "use --data mnist, or, " + TRUSTED,
        python="import numpy, pickle; d = pickle.load(open('{path}', 'rb'), encoding='latin1'); "
        "numpy.savez('{stem}.npz', **{n + p: a for p, s in zip(('train', 'val', 'test'), d) for n, a in "
        "zip(('x_', 'y_'), s)})",
        start=PICKLED,
        name=r"mnist\.(pkl|pickle).*",
    ),
    Kind(
        "a joblib file (pickled)",
        TRUSTED,
        python="import joblib, numpy; d = joblib.load('{path}'); " + SAVE,
        start=PICKLED,
        name=r".*\.joblib",
        endings=(".joblib",),
    ),
    Kind(
        "a Python pickle",
        TRUSTED,
        python="import numpy, pickle; d = pickle.load(open('{path}', 'rb'), encoding='latin1'); " + SAVE,
        start=PICKLED + b"|" + PICKLED_AS_TEXT,
        endings=(".pkl", ".pickle"),
    ),
    Kind(
        "a MATLAB 7.3 file",
        python="import h5py, numpy; f = h5py.File('{path}'); numpy.savez('{stem}.npz', **{k: f[k][()].T for k in "
        "f if isinstance(f[k], h5py.Dataset)})",
        start=rb"MATLAB 7\.3 MAT-file",
    ),
    Kind(
        "an HDF5 file",
        python="import h5py, numpy; f = h5py.File('{path}'); numpy.savez('{stem}.npz', **{k: f[k][()] for k in f "
        "if isinstance(f[k], h5py.Dataset)})",
        start=rb"(.{512}|.{1024}|.{2048})?\x89HDF\r\n\x1a\n",
        endings=(".h5", ".hdf5", ".hdf"),
    ),
    Kind(
        "a MATLAB file",
        python="import numpy, scipy.io; numpy.savez('{stem}.npz', **{k: v for k, v in "
        "scipy.io.loadmat('{path}').items() if k[0] != '_'})",
        start=rb"MATLAB 5\.0 MAT-file",
        endings=(".mat",),
    ),
    Kind(
        "a netCDF file",
        python="import numpy, scipy.io; f = scipy.io.netcdf_file('{path}', mmap=False); numpy.savez('{stem}.npz', "
        "**{k: v[:] for k, v in f.variables.items()})",
        start=rb"CDF[\x01\x02]",
    ),
    Kind(
        "a safetensors file",
        python="import numpy, safetensors.numpy as s; numpy.savez('{stem}.npz', **s.load_file('{path}'))",
        endings=(".safetensors",),
    ),
    Kind(
        "a Zarr array",
        python="import numpy, zarr; numpy.save('{stem}.npy', zarr.open('{path}')[:])",
        members=(r"\.zarray|zarr\.json",),
    ),
    Kind("an R data file", OTHER_DATA, start=rb"RD[AX][23]\n", endings=(".rds", ".rdata")),
    # Tables and databases
    Kind(
        "a data set that TensorFlow Datasets wrote",
        python="import numpy, tensorflow_datasets as t; d = "
        "t.builder_from_directory('{path}').as_dataset(split='train', batch_size=-1); "
        "numpy.savez('{stem}.npz', images=d['image'], labels=d['label'])",
        members=(
            r"features\.json",
            r"dataset_info\.json",
        ),
    ),
    Kind(
        "a TFRecord file",
        python="import os, tensorflow as t; os.makedirs('{stem}', exist_ok=True); [open('{stem}/%06d.png' % i, "
        "'wb').write(max((v.bytes_list.value[0] for v in "
        "t.train.Example.FromString(r.numpy()).features.feature.values() if v.bytes_list.value), key=len)) "
        "for i, r in enumerate(t.data.TFRecordDataset('{path}'))]",
        endings=(".tfrecord", ".tfrecords"),
    ),
    Kind(
        "an LMDB database",
        python="import lmdb, os; os.makedirs('{stem}-pictures', exist_ok=True); [open('{stem}-pictures/%06d.png' "
        "% i, 'wb').write(v) for i, (_, v) in enumerate(lmdb.open('{path}', readonly=True, "
        "lock=False).begin().cursor())]",
        members=(r"data\.mdb",),
    ),
    Kind(
        "a data set of several parts that Hugging Face's save_to_disk wrote",
        python="import datasets, os; os.makedirs('{stem}-parquet', exist_ok=True); "
        "[d.to_parquet('{stem}-parquet/' + p + '-00000-of-00001.parquet') for p, d in "
        "datasets.load_from_disk('{path}').items()]",
        members=(r"dataset_dict\.json",),
    ),
    Kind(
        "a data set that Hugging Face's save_to_disk wrote",
        python="import datasets; datasets.load_from_disk('{path}').to_parquet('{stem}.parquet')",
        members=(
            r"state\.json",
            r"dataset_info\.json",
        ),
    ),
    Kind(
        "an Arrow or Feather file",
        python="import pyarrow.ipc as i, pyarrow.parquet as p; p.write_table(i.open_file('{path}').read_all(), "
        "'{stem}.parquet')",
        start=rb"ARROW1\x00\x00",
        endings=(".feather",),
    ),
    Kind(
        "an Arrow stream",
        python="import pyarrow.ipc as i, pyarrow.parquet as p; p.write_table(i.open_stream('{path}').read_all(), "
        "'{stem}.parquet')",
        endings=(".arrow",),
    ),
    Kind(
        "an ORC file",
        python="import pyarrow.orc as o, pyarrow.parquet as p; p.write_table(o.read_table('{path}'), '{stem}.parquet')",
        endings=(".orc",),
    ),
    Kind("an Avro file", "convert it to Parquet", start=rb"Obj\x01", endings=(".avro",)),
    Kind("an MXNet RecordIO file", "write its pictures into files", start=rb"\x0a\x23\xd7\xce", endings=(".rec",)),
    Kind(
        "an Excel workbook",
        "save its sheet as CSV",
        endings=(".xls", ".xlsx"),
        members=(r"xl/workbook\.(xml|bin)",),
        zipped=True,
    ),
    Kind("an SQLite database", "write its pictures into files", start=rb"SQLite format 3\x00", endings=(".sqlite",)),
    # Pictures that Pillow does not decode
    Kind(
        "a DICOM picture",
        "convert every such file of its folder: ",
        python="import glob, pydicom; from PIL import Image; "
        "[Image.fromarray(pydicom.dcmread(p).pixel_array.astype('int32')).save(p + '.tif') for p in "
        "glob.glob('{folder}/*{ending}')]",
        start=rb".{128}DICM",
        endings=(".dcm", ".dicom"),
    ),
    Kind(
        "a NIfTI volume",
        "save its slices: ",
        python="import nibabel, numpy; numpy.savez('{stem}.npz', "
        "images=numpy.moveaxis(nibabel.load('{path}').get_fdata(), 2, 0))",
        start=rb".{344}n[+i]1\x00|.{4}n[+i]2\x00",
        endings=(".nii",),
    ),
    Kind(
        "a FITS picture",
        python="import astropy.io.fits as f; from PIL import Image; "
        "Image.fromarray(f.getdata('{path}').astype('float32')).save('{stem}.tif')",
        start=rb"SIMPLE  =",
        endings=(".fits", ".fit", ".fts"),
    ),
    Kind(
        "a camera's raw picture",
        python="import rawpy; from PIL import Image; "
        "Image.fromarray(rawpy.imread('{path}').postprocess()).save('{stem}.png')",
        start=rb".{8}CR\x02|.{4}ftypcrx |FUJIFILMCCD-RAW|IIU\x00|IIR[OS]",
        endings=CAMERA,
    ),
    Kind(
        "a HEIC picture",
        python="import pillow_heif as h; from PIL import Image; h.register_heif_opener(); "
        "Image.open('{path}').save('{stem}.png')",
        start=rb".{4}ftyp(hei[cxms]|hev[cmsx]|mif1|msf1)",
        endings=(".heic", ".heif"),
    ),
    Kind("an OpenEXR picture", IMAGEMAGICK, start=rb"v/1\x01", endings=(".exr",)),
    Kind("a Radiance picture", IMAGEMAGICK, start=rb"#\?(RADIANCE|RGBE)", endings=(".hdr",)),
    Kind("a JPEG XL picture", IMAGEMAGICK, start=rb"\x00\x00\x00\x0cJXL \r\n\x87\n|\xff\x0a", endings=(".jxl",)),
    Kind("a GIMP picture", IMAGEMAGICK, start=rb"gimp xcf", endings=(".xcf",)),
    Kind("a PAM picture", IMAGEMAGICK, start=rb"P7\nWIDTH", endings=(".pam",)),
    Kind("a PDF document", 'draw its pages: pdftoppm -png "{path}" "{stem}"', start=rb"%PDF", endings=(".pdf",)),
    Kind("a PostScript drawing", IMAGEMAGICK, start=rb"%!PS|\xc5\xd0\xd3\xc6", endings=(".eps", ".ps")),
    Kind("an SVG drawing", IMAGEMAGICK, start=rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>.{0,2000}?)?<svg\b", endings=(".svg",)),
    Kind("a Windows metafile", IMAGEMAGICK, start=rb"\xd7\xcd\xc6\x9a|.{40} EMF", endings=(".wmf", ".emf")),
    # Video and audio
    Kind(
        "an audio file",
        'give a folder or zip of .wav files: ffmpeg -i "{path}" "{stem}.wav"',
        start=rb"RIFF.{4}WAVE|ID3[\x02-\x04]|fLaC\x00|OggS\x00|.{4}ftypM4A ",
        endings=(".wav", ".mp3", ".flac", ".ogg", ".m4a"),
    ),
    Kind(
        "a video",
        'cut it into frames: ffmpeg -i "{path}" "{stem}-%06d.png"',
        start=rb"RIFF.{4}AVI |.{4}ftyp(iso.|mp4.|avc1|M4V |qt  |dash)|\x1aE\xdf\xa3|\x00\x00\x01[\xb3\xba]"
        rb"|FLV\x01|0&\xb2u",
        endings=(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".flv", ".wmv"),
    ),
    # Other archives and compression formats
    Kind("a 7z archive", "unpack it and give its folder", start=rb"7z\xbc\xaf'\x1c", endings=(".7z",)),
    Kind("a RAR archive", "unpack it and give its folder", start=rb"Rar!\x1a\x07", endings=(".rar",)),
    Kind("compressed with Zstandard", 'unpack it: zstd -d "{path}"', start=rb"\x28\xb5\x2f\xfd", endings=(".zst",)),
    Kind("compressed with LZ4", 'unpack it: lz4 -d "{path}"', start=rb"\x04\x22\x4d\x18", endings=(".lz4",)),
    Kind("compressed with compress", 'unpack it: uncompress "{path}"', start=rb"\x1f\x9d", endings=(".z",)),
    # Models, documents, and files saved in place of the data
    Kind(
        "a Keras model", OTHER_DATA, endings=(".keras",), members=(r"config\.json", r"model\.weights\.h5"), zipped=True
    ),
    Kind("a TensorFlow model", OTHER_DATA, start=rb".{4}TFL3", endings=(".tflite",), members=(r"saved_model\.pb",)),
    Kind("a GGUF model", OTHER_DATA, start=rb"GGUF[\x01-\x04]\x00", endings=(".gguf",)),
    Kind("an ONNX model", OTHER_DATA, endings=(".onnx",)),
    Kind(
        "an Office document",
        OTHER_DATA,
        start=rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        endings=(".doc", ".docx", ".ppt", ".pptx"),
        members=(r"word/document\.xml|ppt/presentation\.xml",),
        zipped=True,
    ),
    Kind(
        "an OpenDocument file",
        OTHER_DATA,
        endings=(".odt", ".ods"),
        members=("mimetype", r"META-INF/manifest\.xml"),
        zipped=True,
    ),
    Kind("a Java archive", OTHER_DATA, endings=(".jar",), members=(r"META-INF/MANIFEST\.MF",), zipped=True),
    Kind("a JSON file", GIVE_PICTURES, start=rb"\s*[\[{]\s*[\[{\"]", endings=(".json", ".jsonl")),
    Kind("an XML file", GIVE_PICTURES, start=rb"(\xef\xbb\xbf)?<\?xml", endings=(".xml",)),
    Kind(
        "a Git LFS pointer",
        "download the file that the pointer refers to: git lfs pull",
        start=rb"version https://git-lfs",
    ),
    Kind(
        "a web page",
        "if it was saved in place of a data file, download the data file again",
        start=rb"(?i)\s*<(!doctype )?html",
        endings=(".html", ".htm"),
    ),
)
