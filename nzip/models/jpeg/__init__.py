"""Engine `jpeg`: whole JPEG files, their coefficients predicted and mixed."""
