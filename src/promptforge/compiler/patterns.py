"""What secrets look like, in columns and in prose: the tables that `compiler.scan` works through.

In the patterns for prose a plain space stands for any gap between two words: blanks, line breaks, no-break spaces,
Markdown's asterisks. They read ASCII letters in either case. Every repetition is bounded or begins at the edge of a
word, so no text, however made, costs more than time in proportion to its length.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "ACCOUNTS",
    "COLUMNS",
    "ELSEWHERE",
    "LOGIN_ROLES",
    "NOT_A_CODE",
    "NOT_A_PASSWORD",
    "NO_SECRET",
    "PLACEHOLDER",
    "PRIVATE_NEARBY",
    "PUBLIC_NEARBY",
    "SECRETS",
    "TECHNICAL",
    "UNIT",
    "WIREGUARD",
    "Column",
    "Pattern",
    "Rule",
    "prose",
]

_GAP = "(?:[\\s\xa0\u2000-\u200a\u202f\u205f\u3000*]+)"
_EITHER_CASE = re.ASCII | re.IGNORECASE


class Pattern:
    """A pattern that is compiled at its first use: most files are clean, and compiling all of them takes longer."""

    __slots__ = ("_compiled", "_flags", "_source")

    def __init__(self, source: str, flags: int = 0) -> None:
        self._source, self._flags = source, flags
        self._compiled: re.Pattern[str] | None = None

    @property
    def compiled(self) -> re.Pattern[str]:
        """The pattern itself."""
        if self._compiled is None:
            self._compiled = re.compile(self._source, self._flags)
        return self._compiled

    def search(self, text: str) -> re.Match[str] | None:
        """Search a text, as `re.search` does."""
        return self.compiled.search(text)

    def match(self, text: str, at: int = 0) -> re.Match[str] | None:
        """Match a text from an offset."""
        return self.compiled.match(text, at)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Match a whole text."""
        return self.compiled.fullmatch(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Find all matches."""
        return self.compiled.finditer(text)


def prose(pattern: str) -> Pattern:
    """A pattern for running text, with its gaps written as spaces."""
    return Pattern(pattern.replace(" ", _GAP), _EITHER_CASE)


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


class Rule(NamedTuple):
    """A secret or an instruction, wherever it stands in a text."""

    code: str
    what: str
    """What the message says was seen."""
    pattern: Pattern
    """Its group `secret` is the place of the finding; without such a group the whole match is."""
    needs: tuple[str, ...] = ()
    """Every text that the pattern matches holds one of these, as words that follow each other.

    The look at a whole file and the look at one value both rest on it, so the first cannot pass over what the second
    would find.
    """
    sign: str = ""
    """In place of `needs`: one sign, no letter, that every such text holds."""
    proof: str = "any"
    """The judgement of `compiler.scan` that the match must also pass."""


class Column(NamedTuple):
    """A column that is there to hold a secret, known by its name."""

    code: str
    what: str
    name: Pattern
    """For the name in small letters, its words joined by `_`."""
    needs: tuple[str, ...]
    """As for a rule, but for the name."""
    proof: str


# ---- Judging a value -------------------------------------------------------------------------------------------------

PLACEHOLDER = Pattern(
    r"""(?xs)
    (?i:env|file|vault|secrets?|op|keychain|keyring|sops|bws|ref)[:/]\S*   # where it is kept, for a machine
    | !\w+(?:\s+\S+)?                                                      # Home Assistant's `!secret NAME`
    | \$\{.*\} | \$\(.*\) | \$[A-Z][A-Z0-9_]* | %\w+%
    | \{\{.*\}\} | \{%.*%\} | \{\w*\} | <[^<>]*> | \[[^\[\]]*\] | \([^()]*\)
    | (?i:sha-?\d+|md5|blake\w+|scrypt|pbkdf2\w*|argon2\w*)[:$-].* | \$(?:\d\w?|argon2\w*|y)\$.*   # a digest
    | (?i:wpa\d?|wep)(?:[-/\x20]?(?i:wpa\d?|psk|sae|personal|enterprise))*   # how, not what
    | [*\u2022\u25cf.\u2026?_xX\u2013\u2014-]+ | \W*
    """
)
"""A value that stands for a secret and is none."""

NO_SECRET = _words(
    "absent ask available blank default disabled empty enabled encrypted entry false factory generated hidden key"
    " keys masked missing n/a na never nil no none null off on open optional private protected random redacted"
    " removed required reset rotated same secret secure see set shared stored tba tbd todo true unchanged unknown"
    " unset vault vaulted yes"
)
"""Words that a column for secrets holds where there is none."""

NOT_A_PASSWORD = NO_SECRET | _words(
    "above again bad below bitwarden bool bytes case-sensitive common correct easy elsewhere enough expired fine"
    " gecos global good hard here hers his incorrect int invalid keepass keychain lastpass later leaked local long"
    " lost mandatory mine name new now okay old ours passwordless safe sent short simple somewhere soon str string"
    " strong sufficient text their theirs there today tomorrow totp trivial unique valid value vaultwarden weak"
    " wrong yesterday yours"
)
"""Words that end the sentence "the password is …" and give nothing away."""

TECHNICAL = Pattern(
    r"(?:1password|\dfa|wpa\d\S*|sha-?\d+|md5|keepass\w*|oauth\d?|base\d+|utf-?\d+|ed25519|ipv\d|v?\d{1,3}(?:\.\d{1,5})+"
    r"|v\d+|\d+(?:st|nd|rd|th)|\d+-[a-z]+|\d{4}-\d\d(?:-\d\d)?|\d{1,2}:\d\d|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|\S*://\S*"
    r"|(?:[.~]|\.\.)?/\S*|[a-z_][\w.]*[\[(]\S*|(?:self|[a-z]\w+)[._]\w*(?:pass(?:word|wd)?|pwd|pw|key|token))",
    _EITHER_CASE,
)
"""Looks as mixed as a password, and is a name, a version, a date, a path, an address or code."""

ELSEWHERE = prose(
    r"\b(?:1password|apple passwords|bitwarden|dashlane|enpass|keepass\w*|keychain|lastpass|passbolt|proton pass"
    r"|vault(?:warden)?|password (?:manager|safe|store)|secrets? broker|nobody knows|known (?:to|by|only)"
    r"|(?:ask|see|kept|stored|written|held|lives|changes|changed|rotates|rotated|via|same as|printed) \w+"
    r"|(?:in|on) (?:the|a|an|its|my|our|his|her) \w+)\b"
)
"""Says where a secret is kept or what becomes of it, not what it is."""

UNIT = Pattern(
    r"[\s\xa0-]*(?:(?:more|other|new|old|random)\s+)?(?:bits?|bytes?|characters?|chars?|codes?|days?|digits?|entries"
    r"|figures?|hours?|letters?|lines?|minutes?|months?|numbers?|people|seconds?|slots?|symbols?|tags?|times?|tries"
    r"|users?|weeks?|words?|years?|ms|s|%|\xb0)(?!\w)",
    _EITHER_CASE,
)
"""What follows a number that counts something."""

NOT_A_CODE = Pattern(
    r"(?:airport|area|article|bar|batch|blink|boot|build|calling|char|class|colou?r|commit|country|currency|customer"
    r"|data|device|diagnostic|dial+ing|discount|epsg|error|event|exit|fault|firmware|gpio|http|iata|icd|icon|input|iso"
    r"|item|language|led|model|morse|op|order|output|part|post(?:al)?|product|promo|qr|reason|ref(?:erence)?|region"
    r"|relay|response|result|return|scan|serial|sort|source|state|station|status|stop|tax|trouble|vendor|version"
    r"|voucher|vs|warning|zip)[\s\xa0_-]*(?:(?:a|is|no|of|the|with)[\s\xa0])?$",
    _EITHER_CASE,
)
"""What stands before 'code' or 'pin' where it opens no door."""

ACCOUNTS = _words("admin administrator guest homeassistant installer pi root service support tech ubnt user")
"""The first half of a pair like admin/admin."""

LOGIN_ROLES = _words(
    "2fa admin administrator guest key mfa operator otp owner password pin read-only readonly root ssh sudo"
    " superuser token user viewer vpn"
)
"""The second half of a pair like root/admin that names a role or a way in."""

WIREGUARD = Pattern(r"(?<![A-Za-z0-9+/=-])[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=(?![\w=])")
PRIVATE_NEARBY = Pattern(r"private|privkey|secret|wireguard|(?<![a-z])wg|key", _EITHER_CASE)
PUBLIC_NEARBY = Pattern(
    r"pub(?:lic|[\s_-]?key)|peer|fingerprint|host[\s_-]?key|sha-?\d|digest|hash|checksum|integrity", _EITHER_CASE
)

# ---- Columns, the most specific first --------------------------------------------------------------------------------

_END = r"(?:_?\d+)?$"
_RADIO = r"wi_?fi|wlan|wpa\d?|wireless|ssid|hotspot|guest_net(?:work)?"
_LOCKED = (
    r"access|alarm|arm|back_door|barrier|burglar|cleaners?|disarm|door|duress|elevator|entrance|entry|front_door|garage"
    r"|gate|guest|gun_safe|intercom|key_?box|key_?pad|key_?safe|lift|lobby|lock|lock_?box|locker|master|nanny|padlock"
    r"|panic|parking|safe|security|shed|unlock|vault"
)


def _column(code: str, what: str, name: str, needs: tuple[str, ...], proof: str) -> Column:
    return Column(code=code, what=what, name=Pattern(name), needs=needs, proof=proof)


COLUMNS = (
    _column(
        "PF514",
        "a Wi-Fi key",
        rf"(?:^|_)(?:{_RADIO})(?:_\w+)?_(?:pass(?:word|wd|phrase|code)?|pwd|pw|key|psk)s?{_END}"
        rf"|(?:^|_)psks?{_END}|pre_?shared_?keys?{_END}",
        ("pass", "pw", "key", "psk"),
        "column",
    ),
    _column(
        "PF513",
        "a code that opens or disarms something",
        rf"(?:^|_)(?:{_LOCKED})(?:_\w+)?_(?:code|pin|pin_?code|passcode|combination|combo)s?{_END}"
        rf"|^(?:homekit|matter)_(?:setup_|pairing_)?codes?{_END}|^(?:pass|pin_?)codes?{_END}|^combination$",
        ("code", "pin", "combin", "combo"),
        "code column",
    ),
    _column(
        "PF513",
        "a PIN",
        rf"^(?!gpio|data_|led_|relay_|tx_|rx_|reset_|clock_|cs_)(?:\w+_)?pins?{_END}",
        ("pin",),
        "PIN column",
    ),
    _column(
        "PF512",
        "a password",
        r"^(?!(?:has|is|needs|no|requires|reset|change|forgot|uses|with)_)(?:\w+_)?"
        rf"(?:password|passwd|passphrase|passcode|pwd|pw)s?{_END}"
        r"|^(?:(?:\w+_)?(?:admin|app|db|ftp|http|imap|login|mqtt|root|smb|smtp|sql|ssh|sudo|user|web)_)?pass$",
        ("pass", "pw"),
        "column",
    ),
    _column("PF510", "a private key", rf"(?:^|_)(?:priv(?:ate)?_?keys?|wg_key){_END}", ("key",), "random"),
    _column(
        "PF511",
        "a token or key",
        r"(?:^|_)(?:tokens?|bearer|secrets?|(?:access|account|api|app|auth|client|encryption|master|network|recovery"
        rf"|secret|session|shared|signing|webhook)_?keys?|apikeys?){_END}",
        ("token", "bearer", "secret", "key"),
        "random",
    ),
)

# ---- Keys and tokens, known by how they begin ------------------------------------------------------------------------


def _key(what: str, pattern: str, *needs: str) -> Rule:
    return Rule(code="PF510", what=what, pattern=Pattern(pattern, re.ASCII), needs=needs)


def _token(what: str, pattern: str, *needs: str, proof: str = "random") -> Rule:
    compiled = Pattern(rf"(?<![\w-])(?:{pattern})", re.ASCII)
    return Rule(code="PF511", what=what, pattern=compiled, needs=needs, proof=proof)


_IS = (
    r"(?:(?: (?:is|was|are)(?: (?:now|still|just|currently|simply|set to))?:?| (?:set|changed|reset) to"
    r"|\s*(?:[:=]|->|\u2192|=>)) ?)"
)
_FOR = r"(?: (?:for|of|to|on|at|in) [^.;:=\n]{1,40}?)?"
_LONG = r"[\"'`]?(?P<secret>[\w\-.~+/]{16,512}+={0,2}+)(?!\()"

_KEYS = (
    _key(
        "a private key in PEM form",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]*-----END [A-Z0-9 ]{1,60}-----)?",
        "private key",
    ),
    _key("an age secret key", r"(?<![\w-])(?i:AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,})", "age-secret-key-"),
    _key("a Tailscale private key", r"(?<![\w-])privkey:[0-9a-f]{64}\b", "privkey"),
)

_TOKENS = (
    _token("a Tailscale key", r"tskey-(?:[a-z]{2,12}-)?[A-Za-z0-9]{8,}(?:-[A-Za-z0-9]{6,})?", "tskey-"),
    _token("a JSON web token, as Home Assistant's are", r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", "eyj", proof="any"),
    _token("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{20,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _token("a GitHub token", r"github_pat_\w{20,}", "hub_pat_"),
    _token("a GitLab token", r"glpat-[\w-]{16,}", "glpat-"),
    _token("an Anthropic key", r"sk-ant-[\w-]{16,}", "sk-"),
    _token("an OpenAI key", r"sk-(?!ant-)[\w-]{20,}", "sk-"),
    _token("a Stripe key", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}", "k_live_", "k_test_"),
    _token("an AWS access key", r"AKIA[0-9A-Z]{16}(?!\w)", "akia", proof="any"),
    _token("a Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    _token("a Google API key", r"AIza[\w-]{30,}", "aiza"),
    _token("a Hugging Face token", r"hf_[A-Za-z0-9]{20,}", "hf_"),
    Rule(
        code="PF511",
        what="a bearer token",
        pattern=prose(rf"\bbearer {_LONG}"),
        needs=("bearer",),
        proof="random",
    ),
    Rule(
        code="PF511",
        what="a token or key",
        pattern=prose(
            r"(?<![^\W_])(?:tokens?|secrets?|(?:access|api|app|auth|client|encryption|master|network|recovery|secret"
            rf"|webhook)[\s_-]?(?:key|secret)s?){_FOR}{_IS}{_LONG}"
        ),
        needs=("token", "secret", "key"),
        proof="random",
    ),
)

# ---- Passwords, Wi-Fi keys, codes and logins in prose ----------------------------------------------------------------

_PASSWORD = r"(?:pass ?(?:word|phrase|code)|passwd|pwd|pw)s?"
_WIFI = r"(?:wi-?fi|wlan|wireless|ssid|wpa\d?|hotspot|guest net(?:work)?)"
_NEAR = r"[^.;:=\n]{0,40}?"
_THE = r"(?:the|our|my|his|her|your)"
_NO_QUOTE = r"[^\s\"'`\u201c\u201d\u2018\u2019\xab\xbb]"
_END_OF_WORD = r"(?=[.,;:!?)\]}]*(?:\s|$|[\"'`\u201d\u2019\xbb]))"
_WORD = rf"(?P<quote>[\"'`\u201c\u2018\xab]?)(?P<secret>{_NO_QUOTE}{{1,128}}?){_END_OF_WORD}"
_SOME = r"(?<!\S)(?P<secret>\S{4,64})"

_DOOR = (
    r"(?:access|alarm|arming|barrier|bike|building|burglar|cellar|cleaner|disarm|door|duress|elevator|entrance|entry"
    r"|garage|gate|guest|gun|house|intercom|key ?box|key ?pad|key ?safe|lift|lobby|lock|lock ?box|locker|master|nanny"
    r"|padlock|panel|panic|parking|safe|security|shed|stairwell|unlock|vault|visitor)(?:'?s)?"
)
_CODE = r"(?P<word>(?<![^\W_])(?:pin ?code|pass ?code|pin|code|combination|combo)s?)(?: number)?(?![^\W_])"
_ITS = r"(?:[\s\xa0*/_(:,-]{1,3}[\w'-]{1,20}){0,2}[\s\xa0*/_(:,-]{1,3}"
_BARE = (
    r"(?<![\w.])(?!\d{4}-\d\d-\d\d)(?P<secret>(?:#|(?<!\*)\*)?\d(?:[\x20-]?\d){%s,9}(?:#|\*(?!\*))?)(?!\w|[-./:,]\d)"
)
_AFTER_IS = r"[\"'`(]?" + _BARE % 2
_NUMBER = r"[\"'`(#]?" + _BARE % 3
_CODES = ("code", "pin", "combin", "combo")


def _spoken(code: str, what: str, proof: str, needs: tuple[str, ...], *patterns: str) -> Iterator[Rule]:
    for pattern in patterns:
        yield Rule(code=code, what=what, pattern=prose(pattern), needs=needs, proof=proof)


_PASSWORDS = (
    *_spoken(
        "PF514",
        "a Wi-Fi key",
        "password",
        ("pass", "pw", "key", "psk"),
        rf"\b{_WIFI}\b{_NEAR}\b(?:{_PASSWORD}|pass|key|psk){_FOR}{_IS}{_WORD}",
        rf"\b(?:psk|pre-?shared key){_FOR}{_IS}{_WORD}",
        rf"\b(?:{_PASSWORD}|key) (?:for|of|to) {_NEAR}\b{_WIFI}\b{_NEAR}{_IS}{_WORD}",
    ),
    *_spoken(
        "PF514",
        "a Wi-Fi key",
        "strong",
        ("pass", "pw", "key"),
        rf"{_SOME} is {_THE} (?:[\w-]{{1,20}} ){{0,2}}{_WIFI} (?:[\w-]{{1,20}} )?(?:{_PASSWORD}|key)\b",
    ),
    Rule(
        code="PF514",
        what="a Wi-Fi key",
        pattern=prose(r"\bWIFI:(?:[TSHR]:[^;\n]{0,64};){0,4}P:(?P<secret>[^;\n]{1,64});"),
        needs=("wifi t", "wifi s", "wifi h", "wifi r", "wifi p"),
    ),
    *_spoken(
        "PF512",
        "a password",
        "password",
        ("pass", "pw"),
        rf"(?<!no\x20)(?<!\w){_PASSWORD}{_FOR}{_IS}{_WORD}",
        rf"(?:\b(?:with|using|use|has|and|the)|,) {_PASSWORD} (?=[\"'`\u201c\u2018]){_WORD}",
    ),
    *_spoken(
        "PF512",
        "a password",
        "strong",
        ("pass", "pw"),
        rf"(?:\b(?:with|using|use|has|and|the)|,) {_PASSWORD} {_WORD}",
        rf"\bpass\s?[:=] ?{_WORD}",
        rf"{_SOME} is {_THE} (?:[\w-]{{1,20}} ){{0,3}}{_PASSWORD}(?=[.,;:!)]|\s*$| (?:for|of|on|to)\b)",
    ),
    *_spoken(
        "PF512",
        "a login with its password",
        "login",
        ("log in", "log on", "cred"),
        r"\b(?:log ?in|log ?on|cred(?:s|entials?))(?: (?:as|with|is|are))?[\s:=(]{1,4}(?P<user>[\w.@-]{2,32})"
        r" ?/ ?(?P<secret>[^\s/,;)]{2,64})(?![/\w])",
    ),
)

_DOOR_CODES = (
    *_spoken(
        "PF513",
        "a PIN or a code that opens something",
        "code",
        _CODES,
        rf"\b{_DOOR}{_ITS}{_CODE}{_FOR}{_IS}{_AFTER_IS}",
        rf"\b{_DOOR}{_ITS}{_CODE}\s?\(?\s?{_NUMBER}",
        rf"{_CODE} (?:for|of|to|on|at) [^.;\n\d]{{0,30}}?\b{_DOOR}\b[^.;\n\d]{{0,20}}?{_IS}?{_NUMBER}",
        rf"{_CODE}(?: is)? {_NUMBER},? (?:opens?|unlocks?|disarms?|arms|releases"
        rf"|(?:for|on|at) (?:{_THE} )?(?:\w{{1,20}} ){{0,2}}{_DOOR})\b",
        rf"{_NUMBER}(?: is|\s*=| as) (?:(?:a|current|new|{_THE}) ){{0,2}}(?:[\w'-]{{1,20}} ){{0,2}}{_DOOR}"
        rf" (?:[\w'-]{{1,20}} )?{_CODE}",
        rf"{_NUMBER}(?: is|\s*=) {_THE} {_CODE} (?:for|of|to|on|at) (?:[\w'-]{{1,20}} ){{0,3}}{_DOOR}\b",
        rf"\b(?:the|my|our|your|his|her|their|new|current|today's|emergency|backup) {_CODE}{_IS}{_NUMBER}"
        r"(?=[#.,;)!]|\s*$| (?:and|then|for|until|on|at)\b)",
        rf"(?P<word>(?<![^\W_])(?:pin|pass ?code)s?)(?: ?code| number)?{_FOR}{_IS}{_NUMBER}",
        rf"(?P<word>(?<![^\W_])(?-i:PIN))(?: code| number)?\s?\(?\s?{_NUMBER}",
    ),
    *(
        Rule(code="PF513", what="a PIN or a code that opens something", pattern=prose(pattern), sign="#")
        for pattern in (
            rf"\b{_DOOR}\b[^.;\n\d#]{{0,30}}?(?<![\w.-])(?P<secret>\d{{4,8}}\#)(?!\w)",
            r"(?<![\w.-])(?P<secret>[*]?\d{4,8}\#) (?:at|on|for|into|opens?|unlocks?)"
            rf" (?:[\w'-]{{1,20}} ){{0,3}}{_DOOR}\b",
        )
    ),
)

_ADDRESSES = (
    Rule(
        code="PF515",
        what="a user and password in an address",
        pattern=prose(
            r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,30}://[^\s/?#:@]{0,128}:(?P<password>[^\s/?#]{1,256})@(?=[\w\[.-])"
        ),
        sign="@",
        proof="address",
    ),
)

SECRETS = (*_KEYS, *_TOKENS, *_PASSWORDS, *_DOOR_CODES, *_ADDRESSES)
