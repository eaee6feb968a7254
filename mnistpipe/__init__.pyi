from mnistpipe.classifier import Answer as Answer
from mnistpipe.classifier import ImageClassifier as ImageClassifier
from mnistpipe.classifier import UserError as UserError
from mnistpipe.classifier import load as load

__all__ = ["Answer", "ImageClassifier", "UserError", "load"]
