"""Where tensors lie in files of weights: safetensors, GGUF, ONNX, TensorFlow Lite, NumPy's and PyTorch's."""
