"""What is published of GPUs and models: `serving/facts.toml`, and what follows from it by arithmetic."""

import tomllib
from collections.abc import Mapping

from pydantic import ValidationError

from dualcode import resources
from dualcode.config import explain
from dualcode.errors import ProfileError, UnknownNameError
from dualcode.record import Record

FILE = "facts.toml"
GIB = 2**30


class GpuFacts(Record):
    """A kind of GPU."""

    name: str
    memory_gib: float
    """As CUDA reports it."""
    bandwidth_gb_s: float
    """10^9 bytes a second."""
    capability: str
    """CUDA's compute capability, such as `8.6`."""
    hour: float | None = None
    """Dollars an hour, where it is rented."""
    source: str


class ModelFacts(Record):
    """A model's shape, by which its weights and its cache are sized."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    """Whether the output layer is the embedding."""
    bits: int
    """Of a weight of the linear layers; the embeddings and the output layer stay in 16."""
    group: int
    """Weights that share a scale of 16 bits and a zero point of `bits`."""
    measured_gib: float | None = None
    """What vLLM's log says that the weights take."""
    source: str

    @property
    def linear_parameters(self) -> int:
        """Weights of the layers' matrices, which are quantized and all read for each token."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def linear_bytes(self) -> float:
        """What these take."""
        grouped = (16 + self.bits) / self.group if self.bits < 16 else 0
        return self.linear_parameters * (self.bits + grouped) / 8

    @property
    def weights_gib(self) -> float:
        """What all weights take, in memory and, within a percent, on disk."""
        tables = (1 if self.tied else 2) * self.vocabulary * self.hidden * 2
        return (self.linear_bytes + tables) / GIB

    @property
    def read_gib(self) -> float:
        """What is read for each step of decoding: all but the input embedding, of which one row is."""
        return (self.linear_bytes + self.vocabulary * self.hidden * 2) / GIB

    def cache_bytes(self, width: int) -> int:
        """Return the bytes of the KV cache that one token takes at `width` bytes a number."""
        return 2 * self.layers * self.kv_heads * self.head_dim * width


class RateFacts(Record):
    """A model's speed, where no formula gives it."""

    tokens_per_second: float
    """Of many requests at once."""
    source: str


class Facts(Record):
    """All that is known."""

    gpus: Mapping[str, GpuFacts]
    models: Mapping[str, ModelFacts]
    rates: Mapping[str, RateFacts] = {}
    """By the name that a model is served under."""

    def gpu(self, name: str) -> GpuFacts:
        """Return a GPU by its short name; UnknownNameError lists the known ones."""
        if name not in self.gpus:
            raise UnknownNameError(
                "GPU", name, self.gpus, hint=f"add a table [gpus.{name}] to serving/{FILE}"
            )
        return self.gpus[name]


def load_facts() -> Facts:
    """Read the facts; ProfileError where the file is missing or wrong."""
    file = resources.find("serving", FILE)
    if file is None:
        raise ProfileError(f"serving/{FILE} is not there", hint="reinstall dualcode")
    try:
        return Facts.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{file} cannot be read: {error}") from error
    except ValidationError as error:
        raise ProfileError(f"{file}: {explain(error, Facts)}") from error
