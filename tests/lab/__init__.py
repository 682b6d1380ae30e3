"""A laboratory for the runbooks: a control plane in miniature, in namespaces of this machine."""

from tests.lab.lab import Lab
from tests.lab.shell import LabError

__all__ = ["Lab", "LabError"]
