from lesions.readers.dicom.reading import RejectedFile, read_dicom, read_dicom_folder

__all__ = ["RejectedFile", "read_dicom", "read_dicom_folder"]
