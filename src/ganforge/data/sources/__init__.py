"""Readers of everything that holds images: files, folders, archives, tables, Python objects, known data sets.

`data.load` chooses the reader. The way of each kind of source, from the path to pixels:

- pictures (PNG, JPEG, …): `image_folder` finds them with `folder_layout` in a container (`containers`, `archives`, or
  `parquet_pictures`) and decodes each with `decode_image`;
- arrays and tables: `readers` lists files with `table_files`; `idx`, `arrays`, `csv_tables` or `parquet` reads them;
  `large_npy` copies large arrays to the cache instead;
- Python objects: `objects`;
- data sets with a name: `registry`, `fetch` and `dataset_formats`;
- everything else: `unsupported_formats` says what it is and how to convert it.
"""
