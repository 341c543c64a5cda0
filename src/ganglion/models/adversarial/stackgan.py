"""StackGAN, text to picture in two stages: a small sketch of what is said, and a large picture made of it.

Idea:
    Say "a red heart" and get one. A first network has learnt which texts belong to which pictures, so that a text is
    a vector that says what is to be seen. A first generator draws a small picture of that vector and of noise: colours
    and places. A second one reads the sketch and the text once more, and makes it large and clear. A real picture with
    another text counts as a fake, so both have to draw what was said. Texts are few and lie far apart, so each is
    widened to a distribution from which a condition is drawn: what lies between texts is learnt, too.

Equations:
    t = reader(text),  v = reader(x),  both matched by the cross-entropy of finding each other in a batch
    conditions   c = m(t) + exp(l(t)) e,  e from N(0, 1) between -2 and 2
    sketch       G1(z, c1),  z from N(0, 1);  picture  G2(G1(z, c1), c2)
    D pays       E[log(1 + exp(-D(x, t)))] + w E[softplus D(x, t')] + (1 - w) E[softplus D(G, t)],  t' of another x
    G pays       E[softplus(-D(G, t))] + lambda KL(N(m, exp(l)^2) | N(0, 1)) + mu matching loss of G and t

Networks:
    texts, pictures    readers: characters by convolutions and simple cells, words by gated units, or a bag of words;
                       pictures by convolutions with halving
    generator_1        condition and noise to 4 x 4 maps, doublings by repetition and 3 x 3 convolutions, two residual
                       blocks on the coarse maps
    discriminator_1    4 x 4 convolutions with halving, a residual block, the text beside it at every place, one logit
    generator_2        the sketch halved twice, joined with the condition, four residual blocks, doublings up
    discriminator_2    as the first, with further halvings

Learning rule:
    Three phases of one run, each of which resumes exactly: readers are matched, then the first pair plays, then the
    second on sketches of the first, which stays as it is. Adam.

Data it expects:
    Pictures with one or more texts, as `captioner` reads them: a folder with a table or JSON lines beside the
    pictures, or emoji with their names. Scaled to [-1, 1].

What to expect:
    `retrieval` is the share of drawn pictures whose own text fits them best among 100, to a matcher trained apart, on
    texts of the test part; chance has .01. The report shows sketches beside what the second stage makes of them. The
    small form, seed 0, in sixteen bits, 2,736 steps in all (19 minutes of what was left of a busy processor): .64 of
    things that training never shows find their text, .73 of others, real pictures .81. Colours, number and places are
    those that were said. Shapes are blots with corners, seldom to be told apart; noise moves things a little, no more.
    The second stage makes pictures larger, not clearer: on the validation part .83 found their text before it, .68
    after it, and the best weights are those of its beginning.
    Photographs need thousands of pictures with texts and the published sizes, which are for a GPU.

Departures from the paper:
    1. Texts are read by a network that learns here, in a phase before, from the same pictures; the authors' reader of
       characters was trained by others on networks that saw a million photographs.
    2. The third convolution of the first discriminator is followed by its rectifier like all others.
    3. A picture that does not fit is a real one with the text of another, instead of another picture with the text.
    4. Rates fall by the trainer's schedule; the authors halve them every 50 and 100 epochs.
    5. `ganglion train stackgan` without flags is smaller, reads words, doubles the sketch instead of making it four
       times as large, adds to it, and lets what is drawn be matched with its text as AttnGAN of 2018 does. It has one
       condition for each text, a convolution more at the side of the sketch, and a penalty on the discriminators'
       slopes instead of batch normalisation.

References:
    Zhang et al., StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative Adversarial Networks, 2017,
    https://arxiv.org/abs/1612.03242
    The authors' code (2017): https://github.com/hanzhanggit/StackGAN
    Reed et al., Generative Adversarial Text to Image Synthesis, 2016, https://arxiv.org/abs/1605.05396
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.adversarial.stages import (
    LARGEST_BASE,
    Conditioning,
    Normalisation,
    Painter,
    Refiner,
    Sketcher,
    TextDiscriminator,
    base,
)
from ganglion.nn.matching import PictureReader, ReaderName, TextReader, halvings
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.adversarial.stacked import StackedGame, Weights
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, Units, at_least, between, settings, strictly_between

LARGEST_READ = 64
"""Side of the pictures that are matched with texts, at most."""
BETAS = ("betas=(0.5, 0.999)",)
ADAM = Descent(learning_rate=2e-4, optimizer_arguments=BETAS)


@settings
class Config:
    """Two readers, two generators and two discriminators, as for the birds of the paper."""

    in_channels: Count = 3
    """Channels of the pictures; the data decides."""
    image_size: Count | None = None
    """Side of the pictures of the second stage; that of the data, brought to one that can be halved, when not given."""
    vocabulary_size: Count = 70
    """Different words or characters; decided by the data."""
    reader: ReaderName = "character-cnn-rnn"
    """How a text is read: the sum of what its words say, its words in their order, or its characters."""
    window: Count = 201
    """Words or characters of a text that are read."""
    most_tokens: Annotated[int, at_least(300)] = 10000
    """Words that are known at most, the commonest."""
    lower_case: bool = True
    """Read capitals as small letters."""
    text_features: Count = 1024
    """Length of the vector of a text, and of a picture that is matched with it."""
    embedding_features: Units = 64
    """Width of a word's vector."""
    character_maps: tuple[Count, Count, Count] = (384, 512, 512)
    """Maps of the three convolutions over characters."""
    reader_maps: Count = 64
    """Maps of the first convolution over a picture that is matched with texts; each halving doubles them."""
    condition_features: Count = 128
    """Numbers in the condition that is drawn for a picture, and in what a discriminator keeps of a text."""
    augments: bool = True
    """Draw conditions from a distribution around the text; otherwise each text has one."""
    noise_features: Count = 100
    """Length of the noise vector of the first stage."""
    generator_maps: Count = 128
    """Maps of the first generator at half its side; each halving doubles them."""
    finishing_maps: Annotated[int, at_least(0)] = 0
    """Maps of one more convolution of the first generator, at its whole side; 0 leaves it out, as published."""
    refiner_maps: Count = 128
    """Maps of the second generator at the side of the sketch; each halving doubles them."""
    discriminator_maps: Count = 64
    """Maps of the discriminators at half the side; each halving doubles them."""
    discriminator_normalisation: Normalisation = "batch"
    """What keeps the discriminators' inner layers at unit scale; batch allows no penalty on slopes."""
    enlargement: Literal[2, 4] = 4
    """How many times longer the sides of the second stage are than those of the first."""
    residual_blocks: Count = 4
    """Residual blocks of the second generator."""
    sketch_halvings: Annotated[int, between(0, 2)] = 2
    """How often the second generator halves the sketch before it is joined with the text."""
    adds_to_sketch: bool = False
    """Let the second generator add to the enlarged sketch instead of drawing all anew."""
    divergence_weight: Annotated[float, at_least(0)] = 2.0
    """What the divergence of the conditions from N(0, 1) counts."""
    matching_weight: Annotated[float, at_least(0)] = 0.0
    """What it counts that the readers find the text of what is drawn."""
    mismatched_weight: Share = 0.5
    """Share of the discriminators' loss on fakes that real pictures with other texts have."""
    matching_share: Annotated[float, strictly_between(0, 1)] = 0.1
    """Share of the run in which texts and pictures are matched."""
    first_share: Annotated[float, strictly_between(0, 1)] = 0.45
    """Share of the run that the first stage takes; the second has the rest."""
    game: GameSettings = GameSettings()
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = ADAM
    """How the generators descend."""
    discriminator_descent: Descent = ADAM
    """How the discriminators descend."""
    matching_descent: Descent = Descent(learning_rate=7e-4)
    """How the readers descend."""

    @property
    def unit(self) -> Literal["words", "characters"]:
        """What a token of a text is."""
        return "characters" if self.reader == "character-cnn-rnn" else "words"

    @property
    def side(self) -> int:
        """Side of the pictures of the second stage."""
        return self.image_size or STANDARD_SIZE

    @property
    def sketch(self) -> int:
        """Side of the pictures of the first stage."""
        return self.side // self.enlargement

    @property
    def latent_features(self) -> int:
        """All numbers of noise that a picture is drawn from."""
        return self.noise_features + 2 * self.condition_features

    def __post_init__(self) -> None:
        if not fits(self.side, self.enlargement):
            raise ConfigurationError(
                "pictures of this size cannot be drawn in two stages",
                where="image_size",
                expected=f"{self.enlargement} times 12, 16, 20, 24, 28, 32, 40, ...: up to 7 times a power of two",
                found=str(self.side),
            )
        if self.matching_share + self.first_share >= 1:
            raise ConfigurationError(
                "no time is left for the second stage",
                where="matching_share and first_share",
                expected="less than 1 together",
                found=f"{self.matching_share} and {self.first_share}",
            )


def fits(side: int, enlargement: int) -> bool:
    """Say whether pictures of a side can be drawn so many times smaller at first, from a map of 2 to 7 places a side.

    >>> [side for side in range(16, 101) if fits(side, 2)], fits(256, 4)
    ([24, 32, 40, 48, 56, 64, 80, 96], True)
    """
    start, doublings = base(side // enlargement)
    return side % enlargement == 0 and doublings >= 2 and start <= LARGEST_BASE


STANDARD_SIZE = 256
"""Side of the pictures when neither the configuration nor any data says one: that of the authors' birds."""

SMALL = Config(
    image_size=48,
    reader="recurrent",
    window=20,
    text_features=64,
    reader_maps=16,
    condition_features=32,
    augments=False,
    noise_features=32,
    generator_maps=48,
    finishing_maps=24,
    refiner_maps=16,
    discriminator_maps=24,
    discriminator_normalisation="none",
    enlargement=2,
    residual_blocks=2,
    sketch_halvings=1,
    adds_to_sketch=True,
    matching_weight=0.2,
    matching_share=0.2,
    first_share=0.62,
    game=GameSettings(real_label=0.9, penalty="r1", penalty_weight=0.1, penalty_every=4),
    generator_descent=Descent(learning_rate=2e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
    matching_descent=Descent(learning_rate=2e-3, clip_norm=1.0),
)
TINY = replace(
    SMALL,
    image_size=24,
    vocabulary_size=16,
    reader="bag-of-words",
    window=6,
    text_features=16,
    embedding_features=16,
    reader_maps=8,
    condition_features=8,
    augments=True,
    noise_features=8,
    generator_maps=8,
    finishing_maps=0,
    refiner_maps=4,
    discriminator_maps=8,
    discriminator_normalisation="batch",
    residual_blocks=1,
    divergence_weight=1.0,
    game=GameSettings(real_label=0.9),
    generator_descent=Descent(learning_rate=3e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
    matching_descent=Descent(learning_rate=5e-3, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    channels, text, sketch = config.in_channels, config.text_features, config.sketch
    texts = TextReader(
        config.reader, config.vocabulary_size, config.window, text, config.embedding_features, config.character_maps
    )
    widths = [config.reader_maps * 2**place for place in range(halvings(min(config.side, LARGEST_READ)))]
    pictures = PictureReader(channels, min(config.side, LARGEST_READ), text, widths)
    sketcher = Sketcher(
        _conditioning(config), config.noise_features, config.generator_maps, channels, sketch, config.finishing_maps
    )
    refiner = Refiner(
        _conditioning(config),
        config.refiner_maps,
        channels,
        enlargement=config.enlargement,
        blocks=config.residual_blocks,
        halvings=config.sketch_halvings,
        adds=config.adds_to_sketch,
    )
    return StackedGame(
        Painter(texts, pictures, sketcher, refiner),
        [_discriminator(config, side) for side in (sketch, config.side)],
        sketch,
        config.game,
        Weights(
            divergence=config.divergence_weight, matching=config.matching_weight, mismatched=config.mismatched_weight
        ),
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        matching_descent=config.matching_descent,
        shares=(config.matching_share, config.first_share),
    )


def _conditioning(config: Config) -> Conditioning:
    return Conditioning(config.text_features, config.condition_features, config.augments)


def _discriminator(config: Config, side: int) -> TextDiscriminator:
    """Return the discriminator of pictures of a side."""
    return TextDiscriminator(
        config.in_channels,
        config.discriminator_maps,
        side,
        config.text_features,
        config.condition_features,
        config.sketch,
        config.discriminator_normalisation,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    text, own = torch.zeros(1, config.text_features), torch.zeros(1, config.condition_features)
    small, large = (torch.zeros(1, config.in_channels, side, side) for side in (config.sketch, config.side))
    return {
        "texts": (torch.ones(1, config.window + 2, dtype=torch.int64),),  # with marks of beginning and end
        "pictures": (large,),
        "generator_1": (torch.zeros(1, config.noise_features + config.condition_features), text),
        "discriminator_1": (small, text),
        "generator_2": (own, small, text),
        "discriminator_2": (large, text),
    }
