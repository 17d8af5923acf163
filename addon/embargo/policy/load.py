"""Files to a `Policy`, or every problem found in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from embargo.core.rules import Policy
from embargo.policy.build import Assembly
from embargo.policy.bundle import bundle, digest
from embargo.policy.layers import Files, Layer, read_files
from embargo.policy.problem import PolicyError
from embargo.policy.references import check_references


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A policy, with the files it comes from."""

    policy: Policy
    files: Files
    assembly: Assembly = field(repr=False)
    base: Path  # the directory of the last file named

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The files of the policy, the earliest first, each with its document and positions."""
        return self.files.layers

    @property
    def digest(self) -> str:
        """SHA-256 of `bundle`, hex."""
        return self.policy.digest

    @property
    def watched(self) -> tuple[Path, ...]:
        """The files whose change may change the policy; some of them need not exist."""
        return self.files.watched

    def bundle(self) -> Iterator[bytes]:
        """The text of all layers and lists, in pieces."""
        return bundle(self.files.sources, self.base)

    def policy_of(self, layer: int) -> Policy:
        """The policy of layer number *layer* (from 0) and those beneath it."""
        return self._policies[layer]

    @cached_property
    def _policies(self) -> tuple[Policy, ...]:
        count = len(self.layers)
        return (*(self.assembly.policy(height) for height in range(1, count)), self.policy)


def load(
    paths: Sequence[Path], exceptions_text: bytes | None = None, instead: Mapping[Path, bytes] = MappingProxyType({})
) -> Loaded:
    """The policy that *paths* name, as `--policy` does: one file a layer, the last one last.

    *exceptions_text* stands in for what `exceptions.yaml` beside the last of them holds, *instead* for what the files
    that it names hold, whether they are there or not.

    Raises PolicyError with all problems of all files.
    """
    files = read_files(paths, exceptions_text, instead)
    problems = [*files.problems, *check_references(files.layers, complete=files.complete)]
    if problems:
        raise PolicyError(problems, files.watched)
    base = paths[-1].parent
    assembly = Assembly(files.layers, digest(bundle(files.sources, base)))
    return Loaded(policy=assembly.policy(), files=files, assembly=assembly, base=base)
