"""How a model samples: named profiles, each sent whole with every request."""

from dualcode.record import Record


class Sampling(Record):
    """Every sampling parameter of a request.

    All are sent, always: what a request leaves out, vLLM takes from the model's own
    `generation_config.json`, which brings a repetition penalty even at temperature 0.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def drawn(self, draw: int) -> "Sampling":
        """Return the parameters of one draw of several: 0 is this one.

        The others have a seed of their own and, where this one is greedy, DRAW_TEMPERATURE: greedy draws
        would all be the same.
        """
        if draw == 0:
            return self
        temperature = self.temperature or DRAW_TEMPERATURE
        return self.model_copy(update={"seed": self.seed + draw * _STRIDE, "temperature": temperature})


_STRIDE = 1_000_003
"""So that the draws of one seed are no other seed's."""

DRAW_TEMPERATURE = 0.8
"""Of further draws beside a greedy one: what Chen et al. 2021 (arXiv 2107.03374) found best for many samples
a task."""


class SamplingProfile(Record):
    """A model's sampling with and without thinking."""

    name: str
    plain: Sampling
    thinking: Sampling

    def for_thinking(self, thinking: bool) -> Sampling:
        """Return the parameters for a request that thinks, or does not."""
        return self.thinking if thinking else self.plain


PAPER = SamplingProfile(name="paper", plain=Sampling(), thinking=Sampling())
"""Greedy decoding throughout (paper §2.1). Qwen3's model card warns of endless repetition when it thinks
greedily; the thinking budget and the repetition detection bound the damage."""

RECOMMENDED = SamplingProfile(
    name="recommended",
    plain=Sampling(temperature=0.7, top_p=0.8, top_k=20),
    thinking=Sampling(temperature=0.6, top_p=0.95, top_k=20),
)
"""What Qwen3's model card asks for, with and without thinking; Qwen2.5-Coder's own file has the plain one."""

PROFILES = {profile.name: profile for profile in (PAPER, RECOMMENDED)}
