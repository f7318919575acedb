from lesions.readers.dicom.reading import RejectedFile, read_dicom, read_dicom_folder
from lesions.readers.dicom.segmentation import read_segmentation

__all__ = ["RejectedFile", "read_dicom", "read_dicom_folder", "read_segmentation"]
