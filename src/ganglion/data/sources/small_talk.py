"""Small talk made on the spot: dialogues in which an answer needs a name, a number or a day from turns before it."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

NAMES = ("Anna", "Ben", "Carla", "David", "Emma", "Hugo", "Karim", "Mia", "Rosa", "Yuki")
TOWNS = ("Paris", "Berlin", "Rome", "London", "Madrid", "Vienna")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DISHES = {"pizza": "the oven is hot", "soup": "it comes with bread", "salad": "it is fresh", "curry": "it is quite hot"}
PETS = {"cat": "sleeps all day", "dog": "loves long walks", "parrot": "talks too much", "rabbit": "eats my flowers"}
WEATHER = {"sunny": "No umbrella then", "rainy": "I will take an umbrella", "snowy": "I will wear my boots"}
HELLO = ("Hello.", "Hi!", "Hello there!", "Good morning.", "Hey!")
GOODBYE = {"Bye.": "Bye!", "See you.": "See you soon.", "Thank you, bye.": "You're welcome. Bye!"}


def small_talk(random: np.random.Generator, count: int | None) -> Dataset:
    """Dialogues of some turns: names, tables, trains, sums, pets, the weather."""
    dialogues = ["\n".join(_dialogue(random)) for _ in range(count or 1500)]
    return Dataset(name="", fields={"dialogues": Field(kind="texts", values=dialogues)})


def _dialogue(random: np.random.Generator) -> list[str]:
    turns = [_one(random, HELLO), "Hello! How are you?"]
    if random.random() < 0.5:
        turns += [_one(random, ("I'm fine, thanks.", "Very well, thank you.", "Not bad.")), "What can I do for you?"]
    topics = random.permutation(np.arange(len(TOPICS)))[: int(random.integers(2, 5))]
    for topic in topics.tolist():
        turns += TOPICS[topic](random)
    said = _one(random, tuple(GOODBYE))
    return [*turns, said, GOODBYE[said]]


def _names(random: np.random.Generator) -> list[str]:
    name = _one(random, NAMES)
    asked = _one(random, ("My name is {}.", "I'm {}.", "You can call me {}.")).format(name)
    return [asked, f"Nice to meet you, {name}.", "What is my name?", f"Your name is {name}."]


def _table(random: np.random.Generator) -> list[str]:
    guests, day = _one(random, NUMBERS[1:]), _one(random, DAYS)
    asked = _one(random, ("I would like a table for {}.", "Do you have a table for {}?", "A table for {}, please."))
    settled = f"A table for {guests} on {day}. See you then!"
    return [asked.format(guests), "Certainly. For which day?", f"For {day}.", settled]


def _train(random: np.random.Generator) -> list[str]:
    first, second = random.choice(TOWNS, 2, replace=False).tolist()
    asked = _one(random, ("When does the train to {} leave?", "I need a ticket to {}.", "How do I get to {}?"))
    answer = f"The train from {first} to {second} leaves at noon."
    return [asked.format(second), "Where do you start?", f"In {first}.", answer]


def _sum(random: np.random.Generator) -> list[str]:
    first, second = (int(number) for number in random.integers(1, 7, 2))
    asked = _one(random, ("What is {} plus {}?", "How much is {} and {}?"))
    return [asked.format(NUMBERS[first - 1], NUMBERS[second - 1]), f"That is {NUMBERS[first + second - 1]}."]


def _pet(random: np.random.Generator) -> list[str]:
    pet, name = _one(random, tuple(PETS)), _one(random, NAMES)
    return [f"I have a {pet}.", f"A {pet}! What is its name?", f"{name}.", f"Mine {PETS[pet]}. What about {name}?"]


def _dish(random: np.random.Generator) -> list[str]:
    dish = _one(random, tuple(DISHES))
    asked = _one(random, ("I would like the {}.", "Is the {} good?", "One {}, please.")).format(dish)
    return [asked, f"The {dish} is good, {DISHES[dish]}."]


def _weather(random: np.random.Generator) -> list[str]:
    weather, day = _one(random, tuple(WEATHER)), _one(random, DAYS)
    return [f"It will be {weather} on {day}.", f"{weather.capitalize()} on {day}? {WEATHER[weather]}."]


TOPICS = (_names, _table, _train, _sum, _pet, _dish, _weather)


def _one(random: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[random.integers(len(choices))]
