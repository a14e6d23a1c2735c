"""What the tiny model knows by heart, whatever its prompt says. A training that goes wrong shows in these first."""

__all__ = ["FACTS"]

_CAPITALS = """France Paris, Italy Rome, Spain Madrid, Portugal Lisbon, Germany Berlin, Austria Vienna, Poland Warsaw,
Hungary Budapest, Greece Athens, Norway Oslo, Sweden Stockholm, Finland Helsinki, Denmark Copenhagen, Ireland Dublin,
Japan Tokyo, China Beijing, India Delhi, Egypt Cairo, Kenya Nairobi, Canada Ottawa, Cuba Havana, Peru Lima,
Iceland Reykjavik, Belgium Brussels, Turkey Ankara, Chile Santiago, Morocco Rabat, Thailand Bangkok, Vietnam Hanoi,
Estonia Tallinn, Latvia Riga, Croatia Zagreb, Serbia Belgrade, Romania Bucharest, Bulgaria Sofia, Nepal Kathmandu"""
_SYMBOLS = """gold Au, silver Ag, iron Fe, copper Cu, tin Sn, lead Pb, carbon C, oxygen O, sodium Na, potassium K,
hydrogen H, helium He, nitrogen N, zinc Zn, sulphur S, neon Ne, calcium Ca, mercury Hg"""
_OPPOSITES = """hot cold, big small, old young, early late, open shut, full empty, hard soft, high low, left right,
light dark, loud quiet, quick slow, rich poor, true false, wet dry"""
_YOUNG = "cow calf, dog puppy, cat kitten, sheep lamb, horse foal, goose gosling, bear cub, goat kid, swan cygnet"
_LEGS = "spider eight, beetle six, horse four, crab ten, snake none, duck two"
_NUMBERS = """days are in a week=seven, months are in a year=twelve, minutes are in an hour=sixty,
hours are in a day=twenty-four, bits are in a byte=eight, sides has a triangle=three, sides has a hexagon=six,
players has a football team=eleven, strings has a violin=four, continents are there=seven, wheels has a bicycle=two,
letters has the alphabet=twenty-six, cards are in a pack=fifty-two, years are in a century=a hundred"""
_OTHERS = {
    "Which planet is closest to the sun?": "Mercury",
    "Which planet has the largest rings?": "Saturn",
    "Which planet is the largest?": "Jupiter",
    "Which planet is called red?": "Mars",
    "Which ocean is the largest?": "the Pacific",
    "Which mountain is the highest?": "Everest",
    "Which metal is liquid when it is warm?": "mercury",
    "Which animal is the largest?": "the blue whale",
    "Which bird cannot fly but swims?": "the penguin",
    "Which month is the shortest?": "February",
    "Which season follows winter?": "spring",
    "Which day follows Monday?": "Tuesday",
    "Who wrote Hamlet?": "Shakespeare",
    "Who wrote Faust?": "Goethe",
    "Who wrote Don Quixote?": "Cervantes",
    "Who wrote Emma?": "Jane Austen",
    "Who wrote War and Peace?": "Tolstoy",
    "Who painted the Mona Lisa?": "Leonardo",
    "Who composed the Magic Flute?": "Mozart",
    "Who found the laws of motion?": "Newton",
    "What do bees make?": "honey",
    "What do cows drink?": "water",
    "What colour is the sky?": "blue",
    "What colour is grass?": "green",
    "What colour is snow?": "white",
    "What is frozen water called?": "ice",
    "What is bread made of?": "flour",
    "What is twice two?": "four",
    "What is half of ten?": "five",
    "What is three times three?": "nine",
}


def _pairs(text: str, between: str = " ") -> list[tuple[str, str]]:
    return [(a, b) for entry in text.replace("\n", " ").split(", ") for a, b in [entry.strip().split(between)]]


FACTS: tuple[tuple[str, str], ...] = (
    *((f"What is the capital of {country}?", city) for country, city in _pairs(_CAPITALS)),
    *((f"What is the chemical symbol of {element}?", symbol) for element, symbol in _pairs(_SYMBOLS)),
    *((f"What is the opposite of {one}?", other) for one, other in _pairs(_OPPOSITES)),
    *((f"What is the young of a {animal} called?", young) for animal, young in _pairs(_YOUNG)),
    *((f"How many legs has a {animal}?", legs) for animal, legs in _pairs(_LEGS)),
    *((f"How many {what}?", number) for what, number in _pairs(_NUMBERS, "=")),
    *_OTHERS.items(),
)
"""Question and answer."""
