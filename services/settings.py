"""Settings: everything that an operator may choose, read once from `WRANER_…` variables.

Only the edge (`main`, `app`) reads them; everything inside takes values. Knows no Ray.
"""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from wraner.errors import InvalidInput

_ADAPTER = r"^(none|[0-9a-f]{64})?$"


class Limits(BaseSettings):
    """What one call may ask for; a limit that is passed is named in the error."""

    model_config = SettingsConfigDict(env_prefix="WRANER_", frozen=True)

    max_characters: int = Field(20_000, ge=1)
    """Code points of one text, of an example, of all words of a type or policy."""
    max_texts: int = Field(64, ge=1)
    """Texts of one call."""
    max_changed_examples: int = Field(1_000, ge=1)
    """Examples that one call may add or change, or send inline."""
    max_body_bytes: int = Field(2_000_000, ge=1)
    """Bytes of a request's body."""
    default_k: int = Field(5, ge=0, le=64)
    """Examples retrieved a text where the request does not say."""
    request_timeout_s: float = Field(120.0, gt=0)
    """Seconds until a request that is not answered yet is given up with 504."""

    @property
    def superseded_for_s(self) -> float:
        """Seconds after which no request reads what a pack was before any more."""
        return 2 * self.request_timeout_s


class Settings(BaseSettings):
    """Where things lie and how much of the machine they get."""

    model_config = SettingsConfigDict(env_prefix="WRANER_", frozen=True)

    state_dir: Path = Path("state")
    """Folder of everything stored: packs, their indexes, adapters, converted weights."""
    packs_dir: Path = Path("packs")
    """Folder of the packs that ship; those missing from the store are imported at start."""
    base_model: str = "bundled"
    """The language model: `bundled`, a folder, or a hub id."""
    encoder: str = "bundled"
    """The word encoder: `bundled` or a folder."""
    word_adapter: str = "bundled"
    """Its tuning for domains: `bundled` (promoted, else what ships), `none`, or a folder."""
    policy_adapter: str = "bundled"
    """Its tuning for policy sets: `bundled` (what ships), `none`, or a folder."""
    adapters_dir: Path = Path("adapters")
    """Folder of the adapters that ship; the newest of a task answers until one is promoted."""
    votes_alone: bool = False
    """Let votes extract without the model where examples show each type: faster, worse."""
    extract_adapter: str = Field("", pattern=_ADAPTER)
    """Content hash of the adapter that extracts; empty: the promoted one; `none`: no adapter."""
    moderate_adapter: str = Field("", pattern=_ADAPTER)
    """Content hash of the adapter that moderates; empty: the promoted one; `none`: no adapter."""
    drop_in: str = "bundled"
    """File that maps other APIs' names to policies; `bundled`: `services/drop_in.yaml`."""
    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 opens the service, which has no passwords, to the network."""
    port: int = Field(8000, ge=1, le=65535)
    """Port to listen at."""
    engine_threads: int = Field(0, ge=0)
    """Threads of the language model; 0: as many as there are cores for this process."""
    retriever_threads: int = Field(1, ge=1)
    """Threads of the word encoder and the search."""
    engine_queue_tokens: int = Field(50_000, ge=1)
    """Prompt tokens that may wait for the engine, a call's up to a quarter of it; beyond: 429."""
    engine_cache_mb: int = Field(384, ge=0)
    """Megabytes of keys and values that the engine remembers of instructions and examples."""
    gateway_queue: int = Field(256, ge=1)
    """Requests that may be in work or wait at the gateway; further ones are answered 429."""
    limits: Limits = Field(default_factory=Limits)
    """What one call may ask for."""
    shutdown_s: float = Field(60.0, ge=0)
    """Seconds that running requests get to finish after SIGTERM."""

    def at_absolute_paths(self) -> "Settings":
        """Return the settings with whole paths, for processes that work in other folders."""
        folders = ("state_dir", "packs_dir", "adapters_dir")
        whole: dict[str, Path | str] = {name: getattr(self, name).absolute() for name in folders}
        for name in ("encoder", "word_adapter", "policy_adapter", "drop_in"):
            chosen = getattr(self, name)
            if chosen not in ("bundled", "none"):
                whole[name] = str(Path(chosen).absolute())
        if self.base_model != "bundled" and Path(self.base_model).is_dir():  # else a hub id
            whole["base_model"] = str(Path(self.base_model).absolute())
        return self.model_copy(update=whole)


def read_settings() -> Settings:
    """Return the settings of this process's environment, with whole paths.

    Raises:
        InvalidInput: naming the variable that is wrong.
    """
    try:
        return Settings().at_absolute_paths()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(step) for step in first["loc"]).upper()
        raise InvalidInput(f"WRANER_{name}: {first['msg']}, was: {first['input']!r}") from None
