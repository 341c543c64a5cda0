"""Plain PyTorch as the tutorials write it: TensorDataset, DataLoader, an eager loop; optionally `torch.compile`."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.sides.outcome import Outcome, judged
from benchmarks.workloads import Workload, parted
from ganglion.nn.sound.spectra import mel_filters


class Forecaster(nn.Module):
    """Two layers of LSTM and two dense layers on the last hidden state; windows relative to their last value."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(1, 256, num_layers=2, dropout=0.4, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        last = inputs[:, -1]
        hidden, _ = self.recurrent(inputs - last[:, None])
        return self.head(hidden[:, -1]) + last


class Listener(nn.Module):
    """Log-mel frames, standardised, two layers of LSTM in both directions over packed sequences, and their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.window = mel_filters(8000, 256, 40), torch.hann_window(200)
        self.recurrent = nn.LSTM(40, 128, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(256, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        lengths = (~inputs.isnan()).sum(1) // 80 + 1
        sounds = inputs.nan_to_num(0.0)
        spectra = torch.stft(sounds, 256, 80, 200, self.window, pad_mode="constant", return_complex=True)
        levels = (spectra.abs().square().transpose(1, 2) @ self.filters.T).clamp_min(1e-6).log()
        frames = levels - levels.mean(1, keepdim=True)
        frames = frames / frames.std((1, 2), keepdim=True)
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        return self.head(hidden.sum(1) / lengths[:, None])


def padded(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return sounds of a batch (batch, time), not a number past the end of each, and their classes (batch,)."""
    sounds, classes = zip(*samples, strict=True)
    return pad_sequence(sounds, batch_first=True, padding_value=torch.nan), torch.stack(classes)


def convnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def lenet5() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 120, 5), nn.ReLU(),
        nn.Flatten(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )  # fmt: skip


def autoencoder() -> nn.Module:
    widths = [784, 1000, 500, 250, 30]
    layers: list[nn.Module] = []
    for before, after in zip([*widths, *widths[-2::-1]], [*widths[1:], *widths[-2::-1]], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    del layers[-1], layers[7]  # none after the output and none after the code
    return nn.Sequential(*layers)


class Block(nn.Module):
    """Two convolutions and what they were given, of which every second pixel is taken where there are more maps."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.stride, self.more = after // before, after - before
        self.conv1 = nn.Conv2d(before, after, 3, self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(inputs)))))
        if self.more:
            half = self.more // 2
            inputs = F.pad(inputs[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.more - half))
        return F.relu(outputs + inputs)


def resnet20() -> nn.Module:
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        *(Block(before, after) for before, after in pairwise(widths)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


class UNet(nn.Module):
    """Two convolutions at each of five sizes on the way down, and on the way up beside what was seen at that size."""

    def __init__(self, width: int = 16, depth: int = 4) -> None:
        super().__init__()
        widths = [width << level for level in range(depth + 1)]
        self.down = nn.ModuleList(self.twice(before, after) for before, after in pairwise([1, *widths]))
        self.larger = nn.ModuleList(nn.ConvTranspose2d(2 * one, one, 2, stride=2) for one in widths[-2::-1])
        self.up = nn.ModuleList(self.twice(2 * one, one) for one in widths[-2::-1])
        self.output = nn.Conv2d(width, 2, 1)

    @staticmethod
    def twice(before: int, after: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1), nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for down in self.down:
            inputs = down(F.max_pool2d(inputs, 2) if seen else inputs)
            seen.append(inputs)
        for larger, up, beside in zip(self.larger, self.up, seen[-2::-1], strict=True):
            inputs = up(torch.cat([beside, larger(inputs)], dim=1))
        return self.output(inputs)


NETWORKS = {
    "unet": UNet,
    "convnet": convnet, "lenet5": lenet5, "mlp": mlp, "autoencoder": autoencoder, "lstm-forecaster": Forecaster,
    "resnet": resnet20, "spoken-words": Listener,
}  # fmt: skip


def loss_of(workload: Workload) -> nn.Module:
    return nn.CrossEntropyLoss() if workload.score == "accuracy" else nn.MSELoss()


def tensors_of(workload: Workload, data: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
    inputs = torch.from_numpy(data["inputs"])
    return inputs, inputs if workload.system == "autoencoder" else torch.from_numpy(data["targets"])


def loader_of(workload: Workload, data: dict[str, np.ndarray]) -> DataLoader:
    """Return shuffled batches; of samples of differing lengths each is padded to its longest."""
    inputs, targets = tensors_of(workload, data)
    if workload.data != "words":
        return DataLoader(TensorDataset(inputs, targets), batch_size=workload.batch_size, shuffle=True)
    samples = list(zip(map(torch.from_numpy, parted(data["inputs"])), targets, strict=True))
    return DataLoader(samples, batch_size=workload.batch_size, shuffle=True, collate_fn=padded)


def outputs_of(network: Callable[[Tensor], Tensor], inputs: np.ndarray) -> np.ndarray:
    """Return what a network makes of the test part, a thousand samples at a time: peak memory is that of training."""
    with torch.no_grad():
        return torch.cat([network(samples) for samples in torch.from_numpy(inputs).split(1000)]).numpy()


def run(workload: Workload, data: dict[str, np.ndarray], compiled: bool = False) -> Outcome:
    torch.manual_seed(0)
    if workload.system in OTHERS:
        return OTHERS[workload.system](workload, data)
    plain = NETWORKS[workload.system]()
    network = torch.compile(plain) if compiled else plain
    optimizer = torch.optim.Adam(network.parameters(), lr=workload.learning_rate)
    criterion = loss_of(workload)
    loader = loader_of(workload, data)

    def epoch() -> None:
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            if workload.system in ("lstm-forecaster", "spoken-words"):
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()

    outcome = Outcome()
    for _ in range(workload.epochs):
        outcome.timed(epoch)
    targets = data["test_inputs"] if workload.system == "autoencoder" else data["test_targets"]
    outcome.score = judged(outputs_of(plain.eval(), data["test_inputs"]), targets)
    return outcome


def dcgan(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    """The tutorial's loop: real batch, generated batch, then the generator through the discriminator."""
    generator = nn.Sequential(
        nn.ConvTranspose2d(100, 128, 7, bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 7, bias=False), nn.Flatten(0),
    )  # fmt: skip
    for module in [*generator, *discriminator]:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    adams = [
        torch.optim.Adam(network.parameters(), lr=workload.learning_rate, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    ]
    criterion = nn.BCEWithLogitsLoss()
    loader = DataLoader(TensorDataset(torch.from_numpy(data["inputs"])), batch_size=workload.batch_size, shuffle=True)
    losses: list[float] = []

    def epoch() -> None:
        losses.clear()
        for (real,) in loader:
            discriminator.zero_grad()
            judged_real = discriminator(real)
            loss_real = criterion(judged_real, torch.full((len(real),), 0.9))
            loss_real.backward()
            fake = generator(torch.randn(len(real), 100, 1, 1))
            judged_fake = discriminator(fake.detach())
            loss_fake = criterion(judged_fake, torch.zeros(len(real)))
            loss_fake.backward()
            adams[1].step()
            generator.zero_grad()
            loss = criterion(discriminator(fake), torch.ones(len(real)))
            loss.backward()
            adams[0].step()
            losses.append(loss_real.item() + loss_fake.item())

    outcome = Outcome()
    for _ in range(workload.epochs):
        outcome.timed(epoch)
    outcome.score = float(np.mean(losses))
    return outcome


def rbm(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    """Contrastive divergence with autograd on the free energy, as the widespread renditions write it."""
    from benchmarks.sides.ganglion import pseudo_log_likelihood
    from ganglion.nn.energy.restricted import BernoulliRBM

    weight = nn.Parameter(torch.randn(500, 784) * 0.01)
    visible_bias, hidden_bias = nn.Parameter(torch.zeros(784)), nn.Parameter(torch.zeros(500))
    optimizer = torch.optim.SGD([weight, visible_bias, hidden_bias], lr=workload.learning_rate)
    loader = DataLoader(TensorDataset(torch.from_numpy(data["inputs"])), batch_size=workload.batch_size, shuffle=True)

    def free_energy(visible: Tensor) -> Tensor:
        hidden = F.softplus(F.linear(visible, weight, hidden_bias)).sum(1)
        return (-visible.mv(visible_bias) - hidden).mean()

    def epoch() -> None:
        for (visible,) in loader:
            hidden = torch.bernoulli(torch.sigmoid(F.linear(visible, weight, hidden_bias)))
            model = torch.bernoulli(torch.sigmoid(F.linear(hidden, weight.t(), visible_bias))).detach()
            loss = free_energy(visible) - free_energy(model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    outcome = Outcome()
    for _ in range(workload.epochs):
        outcome.timed(epoch)
    machine = BernoulliRBM(784, 500)
    machine.load_state_dict({"weight": weight.data, "visible_bias": visible_bias.data, "hidden_bias": hidden_bias.data})
    outcome.score = pseudo_log_likelihood(machine, torch.from_numpy(data["test_inputs"]))
    return outcome


OTHERS = {"dcgan": dcgan, "rbm": rbm}
"""What is no regression on targets."""
