"""Fits a model: Lightning runs the loop, keeps checkpoints and the moving average; the lines here say what to fit."""

import logging
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from models.base import Model, ModelError
from models.encoder import Encoder
from models.multi_scale import MultiScale
from models.registry import ARCHITECTURES
from training.batches import Batch, Batches
from training.config import ConfigError, FitConfig
from training.contexts import context_of
from training.crops import crop_loaders, fit_whitening
from training.datasets import Dataset, Split, find, load
from training.encoders import auto_encoder, told_splits
from training.greys import load_greys
from training.maps import MapConfig
from training.start import check_start, start_from, told_names


class Fit(pl.LightningModule):
    """A model with its loss, -log_prob in nats, and its optimiser."""

    def __init__(self, config: FitConfig, encoder: Encoder | None = None) -> None:
        """`encoder`: the first half of an auto-encoder, to be trained with the model."""
        super().__init__()
        self.config = config
        self.model = build_model(config)
        self.encoder = encoder
        self.bf16 = config.bf16 and has_bf16_units()
        if self.bf16:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # In a tuple, so that it is no submodule: the averaged copy and the state dict know `model` alone.
        self.training_log_prob = (self.compiled_log_prob() if config.compile else self.log_prob(),)
        self.hours = 0.0
        self.started = time.monotonic()

    def log_prob(self) -> Callable[..., Tensor]:
        """What is fitted: log p of an image, or given its coarse image if the net for that comes from another run."""
        return cast(MultiScale, self.model).last_log_prob if self.config.coarse_run else self.model.log_prob

    def compiled_log_prob(self) -> Callable[..., Tensor]:
        if self.config.coarse_run:
            return cast(MultiScale, self.model).compiled_last_log_prob()
        return self.model.compiled_log_prob()

    def nll(self, batch: Batch, log_prob: Callable[..., Tensor]) -> Tensor:
        """Mean -log_prob in nats of a batch."""
        images, labels = batch
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            return -log_prob(images, self.context(images, labels)).mean()

    def context(self, images: Tensor, labels: Tensor) -> Tensor | None:
        """What the model is told of a batch; while training, of some images nothing."""
        context = self.encoder(images) if self.encoder else context_of(self.model, labels)
        if context is None or not self.training or not self.config.context_dropout:
            return context
        told = torch.rand(len(context), *[1] * (context.dim() - 1)) >= self.config.context_dropout
        if labels.dim() == 2 and not labels.is_floating_point():
            told = told & (torch.rand(context.shape) >= self.config.context_dropout)
        return context * told

    def on_train_start(self) -> None:
        self.started = time.monotonic()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)  # dropout of a resumed run is the same

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        nll = self.nll(batch, self.training_log_prob[0])
        self.log("train_nats", nll, prog_bar=True)
        return nll

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        # Not the compiled function: another batch size would make it compile anew, for any size and slower.
        nll = self.nll(batch, self.log_prob())
        self.log("validation_nats", nll, prog_bar=True, batch_size=len(batch[0]))
        bits = nll / (batch[0][0].numel() * math.log(2))
        self.log("validation_bits_per_dim", bits, prog_bar=True, batch_size=len(batch[0]))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.Adam(self.parameters(), self.config.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, self.config))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["hours"] = self.hours_so_far()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.hours = checkpoint["hours"]

    def hours_so_far(self) -> float:
        """Wall-clock hours of training, interruptions left out."""
        return self.hours + (time.monotonic() - self.started) / 3600


def has_bf16_units() -> bool:
    """Whether this processor multiplies bfloat16 itself; where it does not, a step takes seven times as long."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(unit, False) for unit in ("avx512_bf16", "amx_bf16", "bf16"))


def build_model(config: FitConfig) -> Model:
    """The untrained network of a run, its weights a function of the seed; ConfigError if the sizes make none."""
    torch.manual_seed(config.seed)
    data = find(config.data)
    names = data.class_names or data.tag_names
    num_classes = config.encoder.size if config.encoder else len(names) if config.conditional and not config.map else 0
    if config.crop and names:
        raise ConfigError(f"{config.id}: {config.data} holds no grey images of any size, which a density takes")
    if not config.crop and not names:
        raise ConfigError(f"{config.id}: {config.data} is a set for densities")
    if config.coarse_run and data.tag_names:
        raise ConfigError(f"{config.id}: a chain with a coarse_run is told classes, not tags")
    told: dict[str, Any] = {"channels": data.channels, "num_levels": data.num_levels, "num_classes": num_classes}
    if config.map:
        told["given_map"] = map_sizes(config.map, data)
    told = {} if config.crop else told
    try:
        return ARCHITECTURES[config.architecture](**told, **config.sizes)
    except (ModelError, TypeError) as error:
        raise ConfigError(f"{config.id}: sizes make no {config.architecture}: {error}") from error


def map_sizes(config: MapConfig, data: Dataset) -> dict[str, int]:
    """What a model takes as `given_map`."""
    channels = config.conditioning(data.channels, data.num_levels).num_numbers
    return {"channels": channels, "level": config.level, "width": config.width, "kernel": config.kernel}


def learning_rate_factor(step: int, config: FitConfig) -> float:
    """Linear rise over `warmup_steps`, then half a cosine down to 0 at `max_steps`."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    return warmup * 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.max_steps)))


def averaging(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Exponential moving average of weights; until 1 / (1 - decay) steps are done it forgets faster, so that
    early validations do not measure the random start."""

    def average(averaged: Tensor, current: Tensor, num_averaged: Tensor) -> Tensor:
        n = int(num_averaged)
        return averaged.lerp(current, 1 - min(decay, (1 + n) / (10 + n)))

    return average


def fit(config: FitConfig, runs: Path, data_root: Path, progress: bool = True, start: FitConfig | None = None) -> Path:
    """Train until `max_steps` or the early stop; go on from `runs/<id>/last.ckpt` if there is one. The run's folder.

    `start`: the run whose net a new run begins with, see `training.start`.
    """
    torch.set_num_threads(1)  # several runs share a machine better than several threads share these small maps
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # tips and the absence of a GPU
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # that is how one resumes
    folder = runs / config.id
    module = Fit(config, auto_encoder(config, data_root))
    last = folder / "last.ckpt"
    check_start(config, start)
    if start and not last.exists():
        start_from(module.model, runs / start.id / "best.ckpt", told_names(start), told_names(config))
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=config.max_steps,
        max_epochs=-1,
        val_check_interval=config.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=50,
        callbacks=callbacks(config, folder, progress),
        logger=CSVLogger(folder, name="log"),
        enable_progress_bar=progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    train, validation = loaders(config, data_root, folder, module.model, lambda: trainer.global_step)
    trainer.fit(module, train, validation, ckpt_path=last if last.exists() else None)
    return folder


def loaders(
    config: FitConfig, data_root: Path, folder: Path, model: Model, next_step: Callable[[], int]
) -> tuple[DataLoader[Batch], DataLoader[tuple[Tensor, ...]]]:
    """Training batches from step `next_step` on, and validation images.

    Fits the whitening of a density to its data, and an encoder by its metric; `folder`, of the run, keeps that one.
    """
    if config.crop:
        greys = load_greys(config.data, data_root)
        fit_whitening(model, greys["train"], config.seed)
        return crop_loaders(config, greys, next_step)
    splits = told_splits(config, load(config.data, data_root), folder, progress=True)
    batches = Batches(splits["train"], config.batch_size, config.seed, next_step, config.shift)
    validation = DataLoader(_validation(splits["validation"], config.num_validation), batch_size=50)
    return DataLoader(batches, batch_size=None), validation


def callbacks(config: FitConfig, folder: Path, progress: bool) -> list[Callback]:
    """Average, checkpoints `last` (to go on from) and `best` (to ship), early stop, progress bar."""
    chosen: list[Callback] = [
        WeightAveraging(avg_fn=averaging(config.ema_decay), use_buffers=False),
        ModelCheckpoint(folder, "best", monitor="validation_nats", enable_version_counter=False),
        ModelCheckpoint(folder, "last", every_n_train_steps=config.checkpoint_every, enable_version_counter=False),
        EarlyStopping("validation_nats", patience=config.patience),
    ]
    return [*chosen, TQDMProgressBar(refresh_rate=50)] if progress else chosen


def _validation(split: Split, num_images: int) -> TensorDataset:
    return TensorDataset(split.images[:num_images], split.labels[:num_images])
