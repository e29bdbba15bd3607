"""Language models as others store them: GGUF files, and folders in Hugging Face's layout."""
