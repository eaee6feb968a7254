"""The pipeline's stages: each reads its section of params.yaml and calls the library once."""
