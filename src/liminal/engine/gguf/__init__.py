"""GGUF files, as llama.cpp and Ollama keep models: header, configuration, tokenizer, tensors."""
