"""Rules: observation in, findings of one defect out. One defect, one file, in the folder of its family."""
