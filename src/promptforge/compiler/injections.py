"""What reads as an order to a model, or is not seen at all: sayings, chat markers, characters, for `compiler.scan`.

A spaced pattern is read as in `compiler.patterns`. The sayings are there to warn: a house writes many sentences in the
imperative, so each of them wants a word about models, earlier instructions or the user beside the verb.
"""

import re

from promptforge.compiler.patterns import Rule, prose

__all__ = ["INSTRUCTIONS", "MARKERS", "UNSEEN"]

# ---- Text that speaks to a model -------------------------------------------------------------------------------------

_SOME = r"(?:[\w-]{1,20} ){0,2}?"
_FEW = r"(?:[\w-]{1,20} ){0,5}?"
_FORGET = r"(?:ignore|disregard|forget|override|bypass|(?:do not|don't|never|stop) (?:obey|follow)(?:ing)?)"
_EARLIER = r"(?:previous|prior|above|earlier|preceding|foregoing|original|initial|system|your)"
_MODEL = r"(?:assistant|ai|llm|(?:language )?model|chat ?bot|bot|agent)"
_LOOSE = r"(?:un(?:restricted|filtered|censored)|jailbroken)"
_ROLE = (
    rf"(?:{_MODEL}|admin(?:istrator)?|root|dan|developer|hacker|expert|persona|character|pirate|villain|god|machine"
    rf"|terminal|shell|human|person|evil|{_LOOSE})"
)
_MODE = r"in (?:an? )?(?:admin|dan|debug|developer|diagnostic|god|jailbreak|maintenance|root|sudo|test) mode"
_AT_HOME = r"(?:home|away|asleep|awake|out|in|occupied|present|on|off)\b"
_A = r"(?:(?:an?|the|my|our) )?"

_VERBS = ("ignore", "disregard", "forget")
_YOU = ("you",)
_PROMPT = ("prompt", "instruct")

_SAYINGS = (
    (rf"\b{_FORGET} {_FEW}{_EARLIER} {_SOME}(?:instructions?|prompts?)\b", _PROMPT),
    (rf"\b{_FORGET} (?:any|all|every|each) {_SOME}instructions?\b", _PROMPT),
    (
        rf"\b(?:ignore|disregard|forget) {_SOME}(?:previous|prior|above|preceding|safety|system|your) {_SOME}"
        r"(?:rules|guidelines|directives|restrictions|safeguards|guardrails|programming|training)\b",
        _VERBS,
    ),
    (
        r"\b(?:ignore|disregard|forget) (?:all|any)(?: of)?(?: the| your)? (?:previous|prior|earlier|preceding)"
        r" (?:messages?|context|conversations?|text|input|commands?)\b",
        _VERBS,
    ),
    (
        rf"\b(?:ignore|disregard|forget) {_SOME}(?:the|everything|anything|all|whatever|text|is|was|said|written) above"
        r"(?=\s*(?:$|[.,;:!?)\"']|(?:and|but|instead|or|then)\b|instructions?|prompts?))",
        _VERBS,
    ),
    (r"\b(?:ignore|disregard|forget) (?:everything|all|what)(?: that)? you\b", _VERBS),
    (rf"\byou(?:'re| are) now {_A}{_SOME}{_ROLE}\b", _YOU),
    (rf"\byou(?:'re| are) now (?:called|known as|acting|playing|operating as|free|no longer|{_MODE})\b", _YOU),
    (r"\byou(?:'re| are) no longer (?:bound|restricted|required|limited|an?)\b", _YOU),
    (rf"\byou(?:'re| are) an? {_SOME}{_MODEL}\b", _YOU),
    (r"\bfrom now on,? (?:please )?(?:act|answer|respond|reply|obey|ignore)\b", ("from now on",)),
    (
        r"\bfrom now on,? you (?:are|will|must|shall|should)(?: only| always| never)?"
        r" (?:an?|be|answer|respond|reply|obey|act|speak|say|ignore|pretend|behave|comply)\b",
        _YOU,
    ),
    (
        r"\byou (?:must|will|shall|should|are to|have to) (?:now |always |only )?"
        r"(?:obey|comply with|pretend|reveal|act as)\b",
        _YOU,
    ),
    (rf"(?<!never\x20)(?<!not\x20)(?<!n't\x20)\b(?:reveal|disclose|leak) {_SOME}your\b", _YOU),
    (
        rf"\b(?:print|output|repeat|recite|dump|expose) {_SOME}your {_SOME}(?:instructions?|prompts?|secrets?|rules"
        r"|config(?:uration)?|guidelines|passwords?|keys?|tokens?|context|memory|knowledge)\b",
        _YOU,
    ),
    (
        r"\b(?:reveal|print|show|repeat|output|leak|dump|display|tell|give|send|disclose|expose|share|ignore|override"
        rf"|forget|quote|recite|translate|paste|return) {_FEW}(?:system|initial|original|hidden|developer)"
        r" (?:prompt|instructions?)\b",
        _PROMPT,
    ),
    (r"\byour (?:system|initial|original|hidden|real|true|secret|new) (?:prompt|instructions?)\b", _PROMPT),
    (r"\b(?:new|updated|revised) system prompt\b", _PROMPT),
    (r"\bsystem prompt(?:\s?:| (?:is now|says|override|above|ends|begins)\b)", _PROMPT),
    (r"\bact as (?:if|though) you\b", _YOU),
    (rf"(?:^|[.!?;:\n\"]\s?|\b(?:please|now|instead|you) )act as {_A}{_SOME}{_ROLE}\b", ("act as",)),
    (
        rf"\bact as {_A}{_SOME}(?:ai|llm|chat ?bot|language model|dan|hacker|persona|pirate|villain|{_LOOSE})\b",
        ("act as",),
    ),
    (
        r"\b(?:do not|don't|dont|never|without) (?:ever )?(?:tell|inform|mention|reveal)(?:ing)?"
        rf" {_FEW}the users?\b(?! interface)",
        ("the user",),
    ),
    (
        rf"\b(?:hide|conceal|keep) (?:this|that|it|these) {_SOME}from the users?\b(?! interface)",
        ("the user",),
    ),
    (r"\b(?:new|updated|revised|real|actual|secret|hidden) instructions?\s?:", _PROMPT),
    (r"\#{2,6}\s?(?:system )?instructions?\b", _PROMPT),
    (rf"\binstructions? (?:to|for) (?:(?:the|all|any) )?{_MODEL}s?\b", _PROMPT),
    (rf"\bpretend (?:that )?(?:you are|you're|to be(?= (?:an?|the|my|our|(?-i:[A-Z])))) (?!{_AT_HOME})", ("pretend",)),
    (r"\byour (?:new|real|true|only|actual) (?:task|goal|role|purpose|identity|job) is\b", _YOU),
)

INSTRUCTIONS = tuple(
    Rule(code="PF520", what="text that instructs a model", pattern=prose(pattern), needs=needs)
    for pattern, needs in _SAYINGS
)

# ---- Signs -----------------------------------------------------------------------------------------------------------

MARKERS = {
    "<": r"<(?:[|\uff5c][^<>|\uff5c\s]{1,64}[|\uff5c]>|[|\uff5c][\w.-]{1,64}>|[\w.-]{1,64}[|\uff5c]>|</?SYS>>"
    r"|/?(?:s|bos|eos|pad|unk|think|thinking|start_of_turn|end_of_turn|tool_call|tool_response)>)",
    "[": r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]",
    "\n": r"\n[ \t\r]*\n[ \t]*(?P<turn>(?:Human|Assistant):)",
}
"""Chat markers, as they are spelled, by the sign that each begins with."""

_JOINER = r"[\u200c\u200d]"
_BESIDE = r"[^\x00-\x7f\u200c\u200d]"
_VARIANT = r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
UNSEEN = re.compile(
    r"(?:[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\uffa0\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e007f\U000f0000-\U000ffffd"
    r"\U00100000-\U0010fffd]"
    rf"|(?!\A)\ufeff|\r(?!\n)|(?<!{_BESIDE}){_JOINER}|{_JOINER}(?!{_BESIDE})|(?<={_VARIANT}){_VARIANT})+"
)
"""Runs of characters that a reader does not see, or that change the order of what is read.

A joiner between two letters of no Latin script, or in an emoji, is part of the writing. A line may end in CR LF.
"""
