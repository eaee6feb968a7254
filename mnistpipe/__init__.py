"""A study of small convolutional networks on MNIST: the library behind the pipeline's stages."""
