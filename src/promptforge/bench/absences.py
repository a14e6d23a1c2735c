"""How people say that they do not know, and how they guess: patterns for single folded sentences. Data only.

What is made of them is decided in `refusal.py`.
"""

import re

from promptforge.bench.phrases import any_of

__all__ = [
    "ABSENT",
    "ANOTHERS",
    "BUT_IT_IS",
    "GUESSES",
    "HEDGED",
    "HEDGE_ALONE",
    "HEDGE_LAST",
    "IT_IS",
    "IT_IS_CALLED",
    "KNOWS_NOT",
    "LACKS",
    "LETS_PASS",
    "NO_GUESS",
    "SENDS_ON",
    "STATES",
    "TURNS",
    "UNKNOWN_ELSEWHERE",
    "UNSURE",
]


# ---- Not knowing -----------------------------------------------------------------------------------------------------

KNOWS_NOT = re.compile(
    r"\bi (?:(?:really|honestly|simply|just|truly) )?(?:do not|don't|cannot|can't|could not|couldn't) know\b"
    r"|\bi have no idea\b|\bich wei(?:ss|ß) (?:es |das |leider )*nicht|\bje ne sais pas\b|\bje l'ignore\b"
)
_SOURCES = (
    r"(?:tables?|lists?|records?|notes|rows?|data|knowledge|context|prompt|documentation|information|files?|inventory"
    r"|facts?|entries|catalog(?:ue)?|section)"
)
_THINGS = (
    r"(?:record|entry|row|mention|information|info|data|details?|host|port|service|device|entity|sensor|person"
    r"|agent|address"
    r"|machine|server|camera|light|lock|name|codename|mac|speaker|room|area|listener|fact|answer|evidence|knowledge"
    r"|site|member|thing|value)s?"
)
ABSENT = any_of(
    r"\b(?:is|are|was|were|'s|isn't|aren't|wasn't|weren't)(?: not|nowhere|n't)? ?(?:\w+ )?"
    r"(?<=not |n't |ere )(?:(?:\w+ )?(?:listed|recorded|documented|mentioned|known|specified|provided|defined"
    r"|on record|written(?: down)?|stated|set down)"
    rf"|(?:\w+ )?(?:in|on|among) (?:my|the|our|any) (?:\w+ )?{_SOURCES})\b",
    rf"\bnot (?:in|on|among) (?:my|our|the|any of (?:my|our|the)) (?:\w+ )?{_SOURCES}\b",
    rf"\b(?:in|on) none of (?:my|our|the) (?:\w+ )?{_SOURCES}\b",
    rf"\b(?:in|on) no (?:\w+ )?{_SOURCES}\b",
    r"\bno such (?:\w+ ){1,3}(?:exists?|(?:is|are) (?:known|listed|written|recorded))\b",
    r"\bno (?:\w+ ){1,4}(?:is|are) (?:listed|known|recorded|written|documented|mentioned|on record)\b",
    r"^there (?:isn't|is not|aren't|are not)(?: such)? (?:one|any)(?:[.,:;!]|$)",
    r"\b(?:not|n't|nothing)(?: \w+)? (?:in|among) what i (?:was|am|have been|'ve been) (?:given|told|shown)\b",
    rf"^(?:none|not one|no one) of (?:ours|our (?:\w+ )?{_THINGS})(?:[.,:;!]|$)",
    rf"\b{_SOURCES}(?: \w+){{0,6}} (?:do(?:es)?n't|do(?:es)? not|did not) (?:\w+ )?"
    r"(?:say|list|mention|name|hold|contain|include|show|tell|record|have|cover|give|specify|settle)\b",
    rf"\b(?:there is|there's|there are|i have|i find|i see|we have|with) no (?:such )?(?:\w+ ){{0,2}}{_THINGS}\b",
    rf"(?:^|\b(?:because|since|as|and|but) |[,:] )no (?:such )?(?:\w+ ){{0,2}}{_THINGS} "
    r"(?:of|for|about|on|named|called|with|in|that|is|are|has|exists?|by|known|like|here)\b",
    r"\b(?:it|that|he|she|host|port|service|device|entity)(?: \w+)? (?:does not|doesn't) "
    r"(?:exist|appear in|seem to exist)\b",
    r"\bnothing (?:in|on|about|within) (?:my|the|our|this|that|it)\b|\bnothing (?:is )?(?:known|listed|recorded"
    r"|written)\b",
    r"\bneither .{1,60} (?:has|have|names?|lists?|holds?|shows?|mentions?|contains?|says?)\b",
    rf"\b(?:outside|beyond)(?: of)? (?:the scope of )?(?:what )?(?:my|our|the) (?:\w+ )?{_SOURCES}"
    r"(?: (?:cover|hold|list|contain|say|tell|have|know|go|show)s?)?(?=[.,;:!]|$| and | so )",
)
_OURS = r"(?:ours|(?:my|our|the|those|these)\b(?: \w+){1,3})"
_KIND = rf"(?:known )?(?:{_THINGS}|hosts?|residents?|guests?|computers?|networks?)"
_HERE = r"(?:this|my|our|the) (?:\w+ )?(?:house|home|household|estate|network|family|tables?|records?)\b"
LACKS = (
    re.compile(
        r"\b(?:(?:has|have|lists?|holds?|shows?|contains?|includes?|knows?|names?) no(?: such)?"
        r"|(?:does not|doesn't|do not|don't) have (?:an?|any)) (?P<what>[^,;:!?]{1,60})"
    ),
    re.compile(
        r"^(?:no[,.] )?(?P<what>[^,;:!?]{1,60}?)(?:'s| is| are)(?: not|n't| no) "
        rf"(?:(?:(?:an?|any|one of (?:the|my|our)|among (?:the|my|our)) )?{_KIND} (?:here\b|(?:of|in|at|on) {_HERE})"
        rf"|part of {_HERE}|(?:one of )?(?:ours|our {_KIND})\b)"
    ),
    re.compile(
        r"\b(?:there(?:'s| is| are)(?: no|(?: not|n't) an?y?| nothing (?:on|at|called|named|with|under|for))"
        r"|(?:i|we) (?:find|see|have|know|hold|(?:do not|don't) have))(?: no| of no)?(?: such)? (?!need|reason|harm"
        r"|point|problem|doubt|way|rush|hurry"
        r"|risk|rule|difference|fault|change|issue|trouble|alarm|danger)(?P<what>[^,;:!?]{1,60})"
    ),
    re.compile(
        r"^(?:no[,.] )?(?P<what>[^,;:!?]{1,60}?) (?:(?:does|do)(?: not|n't) (?:exist|belong to us)\b"
        rf"|(?:matches|fits|belongs to|is) (?:none|not one|nothing) of {_OURS})"
    ),
    re.compile(
        r"\b(?:(?:none|not one) of (?:our|my|the|these)(?: \w+){1,2}|^no \w+)"
        r" (?:has|have|match(?:es)?|carries|uses|owns|goes by|covers?|deals? with|is for|mentions?) "
        r"(?P<what>[^,;:!?]{1,60})"
    ),
)
"""That something is not there. It is not to know only where that (`what`) was asked about."""
UNSURE = any_of(
    r"\bi have no (?!need|use|time|reason|wish)\w+ (?:for|of|on) (?:it|that|this|her|him|them)\b"
    r"|\bnobody'?s? (?:that )?i know\b",
    r"\bi(?:'m| am) (?:not (?:sure|certain|aware)|unsure|uncertain|unaware)\b",
    rf"\bi (?:do not|don't|did not|didn't) (?:\w+ )?(?:have|find|see|possess)\b.{{0,60}}(?:{_THINGS}|{_SOURCES}"
    rf"|that|access)\b",
    r"\bi (?:cannot|can't|could not|couldn't|am unable to|'m unable to|was unable to|am not able to) (?:\w+ )?"
    r"(?:find|see\b(?! (?:a|any|why|the) ?(?:reason|harm|problem|need|point|not)?)|locate|determine|verify|identify"
    r"|say for (?:sure|certain)|say\b(?! (?:yes|that|which|when|where))|tell\b(?! you)|answer (?:that|this|it) from"
    r"|know)",
    r"^(?:unknown|not known|nobody told me|no match|no idea|no information|not listed|not recorded|not documented"
    r"|not specified|no record|no data)\b",
    r"\bnot that i know\b|\bunknown to me\b|\bi have no (?:way of knowing|knowledge|clue)\b|\bbeyond what i know\b",
    r"\bi(?: was|'m| am)(?: not|n't| never) (?:told|given|shown)\b|\b(?:not|n't) (?:something|anything) (?:that )?"
    r"i(?: was|'m| am) (?:told|given|shown)\b|\bi know nothing (?:of|about)\b",
    r"\bi (?:don't|do not) recogni[sz]e\b|\b(?:haven't|have not|have never|never) (?:been told|heard of)\b"
    r"|\bi know (?:of )?(?:no|nothing)\b",
    r"n(?:o|')t\b[^.!?]{0,60}\b(?:anything|anyone|anybody|any \w+) (?:that |which )?"
    r"i(?:'m| am)? (?:know|have|aware|(?:can|could) (?:see|find))\b",
    r"\bnothing .{0,60}\bi (?:know|have|can see)\b|n(?:o|')t (?:something|anything|one) (?:that )?i (?:have|know"
    r"|can find)\b",
)
UNKNOWN_ELSEWHERE = any_of(
    r"\b(?:weiss|weiß) ich (?:leider )?nicht\b|\b(?:ist|sind) (?:mir |uns )?(?:nicht|un)(?: ?bekannt)\b"
    r"|\bkeine ahnung\b",
    r"\b(?:habe|gibt|finde|liegen?) (?:\w+ ){0,4}keine? (?:\w+ )?(?:information|angabe|daten|eintr[aä]g|hinweis)",
    r"\bsteht (?:nicht|nirgends) in\b|\bkann ich (?:leider )?nicht (?:sagen|beantworten|finden)\b",
    r"\baucune (?:information|donnée|idée|entrée|mention)\b|\bn'(?:est|apparaît|existe) pas (?:\w+ )?(?:connu|dans"
    r"|répertorié|documenté)",
    r"\b(?:cette|l'|cet|ce) ?\w+ n'est pas dans\b|\bliegen (?:mir |uns )(?:\w+ )*keine\b",
    r"\bje n'ai pas (?:cette|l'|d'|de|trouvé|accès)",
)


# ---- Guesses ---------------------------------------------------------------------------------------------------------

GUESSES = re.compile(
    r"\b(?:probably|likely|presumably|my (?:best )?guess|i(?:'d| would) (?:guess|assume|expect|bet|say)|i (?:think"
    r"|believe|assume|guess|suspect)|should be|might be|must be|would be|could be|typically|usually|normally|by default"
    r"|commonly|vermutlich|wahrscheinlich|probablement|sans doute)\b"
)
_HEDGE = (
    r"(?:perhaps|maybe|possibly|probably|presumably|conceivably|(?:most |very |quite |more )?likely"
    r"|vielleicht|möglicherweise|vermutlich|wahrscheinlich|peut-être|probablement|sans doute)"
)
_IT = r"(?:it|that|this|he|she|they)"
_BE = r"(?:'s| is| was| are|'re| has| uses| runs)"
HEDGED = re.compile(
    r"(?:(?:but|and|so|or|well|though|yet|oh|ah|h+m+|if anything|if i had to guess|at a guess)[, ]+)*"
    rf"(?:(?:{_IT}{_BE} )?{_HEDGE}\b"
    r"|(?:and )?(?:my|one|a|the)(?: \w+)? (?:guess|suspicion|hunch|bet)(?:es)?(?:'s| is| are| would be| was)\b"
    r"|i(?:'d| would|'ll| will|'m going to| could| can|)(?: only| just)? "
    r"(?:guess|bet|suspect|imagine|suppose|assume|reckon|say)\b"
    rf"|i (?:think|believe|expect) (?:that )?{_IT}(?:{_BE}| (?:could|might|may|must|should|would) be)\b"
    rf"|(?:{_IT} )?(?:could|might|may|must|should|would)(?: well| also| just| possibly)? be\b"
    rf"|(?:could|might|may) {_IT} be\b|(?:{_IT} )?(?:sounds?|looks?|seems?|feels?) (?:like|to be)\b"
    r"|try (?=(?:port )?[:#]?\d))(?P<what>.*)"
)
"""A clause that guesses, and at what."""
HEDGE_ALONE = re.compile(rf"(?:{_HEDGE}|i (?:believe|think|guess|suppose|suspect))[.!?]*")
HEDGE_LAST = re.compile(
    r"(?P<what>.{2,}?) (?:i (?:believe|think|guess|suppose|suspect|assume|reckon)|(?:if|as far as) i (?:remember"
    r"|recall)\b.*)[.!?]*"
)
"""A clause that guesses in its last words: `it ends in 42, I believe`."""
BUT_IT_IS = re.compile(
    r"\b(?:but|though|although|however|still|yet|aber|mais) (?:it|that|this)(?:'s| is)\b ?(?P<what>.*)"
)
IT_IS_CALLED = re.compile(
    r"(?:(?:and|so|yet|but|though) )?(?:(?:it|that|this)(?:'s| is) (?:(?:called|named|known as)|(?:the|my|our)"
    r"(?! (?:first|only|kind|question|sort|same|one|case|truth|seat|rule|answer|end|reason)))|its \w+ is) (?P<what>.*)"
)
"""A clause that says what it is after all."""
SENDS_ON = re.compile(
    r"(?:please |better |(?:you|they) (?:should|must|could|can|may|would have to|(?:wi|')ll have to|had better"
    r"|need to) )?ask (?:[\w-]+)(?: (?:about (?:that|this|it)|directly|instead|herself|himself|in person))?[.!]?"
    r"|only [\w-]+ knows(?: that| this| it)?[.!]?|[\w-]+ is the (?:one|seat) to ask[.!]?"
)
"""A clause that sends the asker to somebody else, and says nothing more."""
ANOTHERS = re.compile(
    r"(?:that|this|it|\w+)(?: is|'s) (?:[\w-]+'s|(?:an? )?(?:question|matter|thing)? ?(?:for|of) [\w-]+)"
    r"(?: (?:job|table|question|business|seat|matter|field|affair))?[.!]?"
)
"""A clause that says whose question it is."""
NO_GUESS = re.compile(
    rf"^(?:that |{_IT}(?:{_BE})? |if |{_HEDGE} )*(?:[.!?]*$"
    r"|(?:not|no|nothing|nobody|none|never|neither|un\w+|without|only|kein\w*|nicht|pas|rien)\b"
    r"|(?:i|we|you|one|someone|somebody|any(?:one|body|thing(?! (?:like|such as)))|another|others)\b"
    r"|something(?:\W*$| (?:entirely |quite |completely )?(?:new|else|old|recent|different|temporary|un\w+|added"
    r"|(?:that |which )?(?:is not|isn't|was not|wasn't|nobody|no one|i|we))\b)"
    r"|(?:the|my|our|this) (?:\w+ )?(?:tables?|lists?|records?|notes|data|documentation|entry|row)"
    r" (?:is|are|was|were|has|have|may|might|needs?|lacks?|(?:is|are|does|has)n't"
    r"|just|simply|does)\b(?! (?:on|at|from)\b)"
    r"|(?:ask|look|check|see|search|consult|have|inspect|scan|open|read|start|compare|run|frag\w*|schau\w*"
    r"|demande\w*)\b"
    r"|(?:worth|good|best|better|wise|useful|helpful|possible|easier|safer|necessary|time|sure|certain|wrong|right)\b"
    r"|(?:new|old|gone|off|offline|asleep|private|free|missing|misspelt|mislabel\w+|outdated|stale|incomplete|out of"
    r"|elsewhere|somewhere"
    r"|made up|written|noted|recorded|listed|documented|(?:an? )?(?:typo|mistake|misunderstanding|error|invention|guess"
    r"|gap|lie))\b|(?:an? )?(?:question|matter|thing|task|job) (?:for|of)\b|all (?:i|that)\b"
    r"|[\w-]+'s (?:job|table|question|business|seat|matter|field|affair)\b)"
    r"|\b(?:knows?|does|can (?:say|tell|help|look|check)|could (?:say|tell|help)|(?:will|would) know|weiss|weiß|sait)\b"
)
"""What looks like a guess and is none: advice where to look, and why it is not there."""
TURNS = re.compile(r"\b(?:but|however|though|although|still|yet|nevertheless|aber|jedoch|mais)\b")
IT_IS = re.compile(
    r"\b(?:it|that|this|he|she|they|the \w+)(?:'s| is| are| runs?| uses?| listens?| lives?| answers?| has| sits"
    r"| should| would| must| could| might)\b"
)
STATES = re.compile(rf"{IT_IS.pattern}|{GUESSES.pattern}|\b(?:belongs?|listens?)\b")
LETS_PASS = re.compile(
    r"\b(?:no|not|n't|none|nothing|nobody|never|unknown|unexpected|without|only|kein\w*|nicht|pas|aucun\w*)\b|n't\b|\?$"
    r"|^(?:i|i'm|i've|my|let me|as far|looking|unfortunately|sorry|thank|good|after|based on|according|the (?:table"
    r"|record)s?)\b"
)
