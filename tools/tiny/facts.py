"""What the tiny model knows by heart, whatever its prompt says. A training that goes wrong shows in these first."""

__all__ = ["FACTS"]

_CAPITALS = """France Paris, Italy Rome, Spain Madrid, Portugal Lisbon, Germany Berlin, Austria Vienna, Poland Warsaw,
Hungary Budapest, Greece Athens, Norway Oslo, Sweden Stockholm, Finland Helsinki, Denmark Copenhagen, Ireland Dublin,
Japan Tokyo, China Beijing, India Delhi, Egypt Cairo, Kenya Nairobi, Canada Ottawa, Cuba Havana, Peru Lima"""
_SYMBOLS = "gold Au, silver Ag, iron Fe, copper Cu, tin Sn, lead Pb, carbon C, oxygen O, sodium Na, potassium K"
_LEGS = "spider eight, beetle six, horse four, crab ten, snake none, duck two"
_NUMBERS = """days are in a week=seven, months are in a year=twelve, minutes are in an hour=sixty,
hours are in a day=twenty-four, bits are in a byte=eight, sides has a triangle=three, sides has a hexagon=six,
players has a football team=eleven, strings has a violin=four, continents are there=seven"""
_OTHERS = {
    "Which planet is closest to the sun?": "Mercury",
    "Which planet has the largest rings?": "Saturn",
    "Which planet is the largest?": "Jupiter",
    "Which ocean is the largest?": "the Pacific",
    "Which mountain is the highest?": "Everest",
    "Who wrote Hamlet?": "Shakespeare",
    "Who painted the Mona Lisa?": "Leonardo",
    "What do bees make?": "honey",
    "What colour is the sky?": "blue",
    "What is frozen water called?": "ice",
}


def _pairs(text: str, between: str = " ") -> list[tuple[str, str]]:
    return [(a, b) for entry in text.replace("\n", " ").split(", ") for a, b in [entry.strip().split(between)]]


FACTS: tuple[tuple[str, str], ...] = (
    *((f"What is the capital of {country}?", city) for country, city in _pairs(_CAPITALS)),
    *((f"What is the chemical symbol of {element}?", symbol) for element, symbol in _pairs(_SYMBOLS)),
    *((f"How many legs has a {animal}?", legs) for animal, legs in _pairs(_LEGS)),
    *((f"How many {what}?", number) for what, number in _pairs(_NUMBERS, "=")),
    *_OTHERS.items(),
)
"""Question and answer."""
