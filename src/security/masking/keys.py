"""Which names mean that a value is secret, in whatever spelling they come.

A name is taken apart into words (`userPassword`, `user-password` and `USER_PASSWORD` are two words each), without
accents and numbers. What follows are the documented lists; `SECURITY_SENSITIVE_KEYS` adds to them, and the names in
`SECURITY_INNOCENT_KEYS` are never taken for secret.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from typing import Final
from urllib.parse import unquote

# Found anywhere in a name, also in the middle of a word: no innocent word has them.
ANYWHERE: Final = (
    *("password", "passwd", "passphrase", "passcode", "passwrd", "credential", "authorization", "csrf", "xsrf"),
    *("api key", "access key", "secret key", "private key", "signing key", "encryption key", "master key"),
    *("shared key", "account key", "ssh key", "session id", "session key", "sess id", "auth code"),
    *("authorization code", "card number", "credit card", "card no", "cvv", "security code", "verification code"),
    *("recovery code", "backup code", "seed phrase", "recovery phrase", "one time code"),
    *("passwort", "kennwort", "contraseña", "wachtwoord", "lösenord", "adgangskode", "mot de passe", "salasana"),
    *(
        "jelszó",
        "пароль",
        "пароля",
        "密码",
        "密碼",
        "口令",
        "パスワード",
        "暗証番号",
        "비밀번호",
        "كلمة المرور",
        "סיסמה",
        "סיסמא",
        "암호",
        "رمز عبور",
        "گذرواژه",
        "รหัสผ่าน",
        "पासवर्ड",
        "лозинка",
        "парола",
        "συνθηματικό",
        "κωδικός πρόσβασης",
    ),
    *("mật khẩu", "palavra passe", "slaptažodis", "kata sandi", "lykilorð"),
)
# Words that may also end a longer one: "csrfmiddlewaretoken", but neither "tokenizer" nor "secretary".
ENDS_OF_WORDS: Final = ("token", "secret")
# Only as words of their own: "pin", but not "shipping".
WORDS: Final = (
    *("pin", "pin code", "pin number", "otp", "totp", "hotp", "cvc", "iban", "jwt", "pwd", "psw", "pswd", "bearer"),
    *("ssn", "social security number", "mnemonic", "fa code", "mfa code", "sms code", "login code", "priv key"),
    *("client assertion", "saml response", "set cookie", "connect sid", "basic auth", "card code"),
    *("x amz signature", "x goog signature", "user pass", "db pass", "database pass", "smtp pass", "mail pass"),
    *("admin pass", "root pass", "http pass", "proxy pass", "ftp pass", "login pass", "my pass", "new pass"),
    *("old pass", "pw", "passkey", "auth key", "app key", "consumer key", "subscription key", "cc number", "cvn"),
    *("code verifier", "security answer", "device code", "oauth verifier", "oauth signature", "signed request"),
    *(
        "magic link",
        "api sig",
        "auth sig",
        "application key",
        "functions key",
        "key pass",
        "store pass",
        "two factor code",
    ),
    *("heslo", "senha", "clave", "parola", "passord", "hasło", "haslo", "şifre", "parool", "zaporka", "lozinka"),
    *("confirm pass", "current pass", "repeat pass", "pass confirm", "temp pass", "sudo pass", "become pass"),
    *("ssh pass", "wifi pass", "psk", "puk", "csc", "cred", "mdp", "kodeord", "aes key", "hmac key", "cipher key"),
    *("unseal key", "recovery key", "deploy key", "customer key", "auth cookie", "scratch code", "reset code"),
    *("confirmation code", "activation code", "access code", "payment method nonce", "access signature"),
    *("hmac signature", "user pwd", "db pw", "root pw", "bind pw"),
)
# Only as the whole name.
WHOLE: Final = ("pass", "auth", "session", "cookie", "cookies", "sid", "sig", "signature", "hmac", "mfa", "assertion")
# As the last word of the name of a header: X-Hub-Signature-256, X-Session
HEADERS: Final = ("signature", "sig", "hmac", "auth", "authentication", "session")

# A name that begins or ends so says something about a secret: "token_count", "authorization_status", "has_password".
INNOCENT_BEGINNINGS: Final = (
    *("has", "is", "needs", "requires", "require", "allow", "allows", "no", "max", "min", "num", "total"),
    *("prompt", "completion", "cached", "reasoning", "forgot"),
)
INNOCENT_ENDINGS: Final = (
    *("count", "counts", "counter", "total", "status", "state", "type", "types", "kind", "length", "len", "size"),
    *("limit", "limits", "usage", "used", "expires", "expired", "expiry", "expiration", "expire", "ttl", "lifetime"),
    *("age", "at", "on", "in", "date", "time", "timestamp", "enabled", "disabled", "required", "optional", "valid"),
    *("invalid", "verified", "set", "changed", "missing", "policy", "strength", "score", "rules", "requirements"),
    *("name", "label", "title", "help", "description", "format", "version", "algorithm", "alg", "method", "methods"),
    *("endpoint", "class", "icon", "error", "errors", "message", "attempts", "attempt", "retries", "visible"),
    *("supported", "provider", "issuer", "brand", "scope", "scopes", "audience", "file", "path", "dir", "consent"),
    *("accepted", "uses", "per", "rate", "cost", "price", "country", "currency"),
)
# Endpoints of OAuth and the like: no secret is in their address.
ENDPOINTS: Final = ("token uri", "token url", "authorization url", "authorization uri", "authorization server")
INNOCENT_NAMES: Final = (*ENDPOINTS, "input tokens", "output tokens")
# What a language model used: "input_tokens_details": {"cached_tokens": 3}
_DETAILS_OF_COUNTS: Final = "tokensdetails"
# A plain number under a name with such a word counts them: "tokens": 512, "cache_read_input_tokens": 3.
COUNTED: Final = frozenset(("tokens", "cookies"))
_COUNT: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")

# {"name": "password", "value": "..."}: a member that names what its neighbour holds.
NAMING: Final = frozenset(("name", "key", "k", "field", "param", "parameter", "header", "id", "property", "variable"))
_VALUES: Final = ("value", "val", "v", "values", "new_value", "newvalue", "old_value", "oldvalue")
NAMED_FIELDS: Final = frozenset(_VALUES)
# {"type": "password", "value": "..."}: what else such a member stands beside is of that type, and no secret.
NAMING_VALUES: Final = frozenset(("type", "label", "attribute", "attr"))
NAMED: Final = frozenset((*_VALUES, "content", "text", "data", "old", "new", "input"))
# The list of an error's place (of pydantic) ends with the name of a field: {"loc": ["body", "password"], "input": "x"}
PLACES: Final = frozenset(("loc",))
# Beside one of these, `code` is one of OAuth (RFC 6749, 4.1), which is exchanged for a token.
BESIDE_CODE: Final = frozenset(
    (
        *("redirect_uri", "client_id", "client_secret", "grant_type", "code_verifier", "session_state"),
        *("iss", "scope", "authuser"),
    )
)
_STATE: Final = re.compile(r"[\w.~+/=%\-]{8,}")
_CODE: Final = re.compile(r"[\w.~+/=%\-]{10,}")

# Whatever name of the lists a text has, it has one of these: most texts are told to be harmless by them.
STEMS: Final = (
    *("pass", "pw", "psw", "auth", "cred", "srf", "key", "sess", "card", "cv", "code", "paro", "slo"),
    *("phrase", "token", "secret", "pin", "otp", "iban", "jwt", "bearer", "ssn", "social", "mnem", "assertion", "saml"),
    *("cookie", "sid", "sig", "hmac"),
)

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
# Names in other scripts have no capital letters in the middle to look at, or none that say anything.
_WORD_OF_ANY_SCRIPT: Final = re.compile(r"[^\W\d_]+")
_LOOKALIKES: Final = str.maketrans(
    "авеіјкмпорсѕтухԁɡһаΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυАВЕЅІЈКМНОРСТУХıł",
    "abeijkmnopcstyxdghaABEZHIKMNOPTYXaiknoptuABESIJKMHOPCTYXil",
)
# What stands between the letters of one name
_INSIDE_NAMES: Final = b'_-."[]0123456789'
_LONGEST_REMEMBERED: Final = 64
_MOST_REMEMBERED: Final = 4096
_MOST_DECODINGS: Final = 8
# Of a name that is longer, the beginning and the end are looked at.
_LONGEST_NAME: Final = 1000
_MOST_WORDS_OF_A_TERM: Final = 4


def _without_accents(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(c for c in decomposed if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")


def words_of(name: str) -> list[str]:
    """Take a name apart into its words, in small letters, without accents, numbers and signs."""
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME // 2]} {name[-_LONGEST_NAME // 2 :]}"
    if name.isascii():
        return [word.lower() for word in _WORD.findall(name)]
    plain = _without_accents(name)
    pattern = _WORD if plain.isascii() else _WORD_OF_ANY_SCRIPT
    return [word.casefold() for word in pattern.findall(plain)]


def _joined(terms: Iterable[object]) -> frozenset[str]:
    # What is no text finds nothing; the system checks say so.
    return frozenset("".join(words_of(term)) for term in terms if isinstance(term, str))


_ANYWHERE: Final = _joined(ANYWHERE)
_WORDS: Final = _joined(WORDS)
_WHOLE: Final = _joined(WHOLE)
# A whole name may be in any mixture of letters: tOKeN.
_ALL_WORDS: Final = _WORDS | _joined(ENDS_OF_WORDS)
_INNOCENT_BEGINNINGS: Final = frozenset(INNOCENT_BEGINNINGS)
_INNOCENT_ENDINGS: Final = frozenset(INNOCENT_ENDINGS)
_INNOCENT_NAMES: Final = _joined(INNOCENT_NAMES)


class SensitiveKeys:
    """The names of one site: the documented lists, what the site adds to them, and what it takes from them."""

    def __init__(self, added: Iterable[object], innocent: Iterable[object]) -> None:
        self._added = _joined(added)
        self._innocent = _INNOCENT_NAMES | _joined(innocent)
        self._known: dict[str, bool] = {}
        terms = (*ANYWHERE, *ENDS_OF_WORDS, *WORDS, *WHOLE, *(term for term in added if isinstance(term, str)))
        # The most common ones come first.
        stems = {_stem(_without_accents(term)) for term in terms if _without_accents(term).isascii()}
        self._stems = (*(stem for stem in STEMS if stem in stems), *sorted(stems.difference(STEMS)))

    def has(self, name: str) -> bool:
        """Tell whether what stands under a name is secret."""
        known = self._known.get(name)
        if known is None:
            known = self._decide(words_of(name)) or self._ends_in_whole(name)
            if not known and not name.isascii():
                # A letter that only looks like one of the name
                known = self._decide(words_of(name[-_LONGEST_NAME:].translate(_LOOKALIKES)))
            if not known and "%" in name:
                decoded = _without_percent_signs(name)
                known = decoded is None or (decoded != name and self.has(decoded))
            # Clients invent names: what is remembered is bounded.
            if len(name) <= _LONGEST_REMEMBERED and len(self._known) < _MOST_REMEMBERED:
                self._known[name] = known
        return known

    def has_header(self, name: str) -> bool:
        """Tell whether the value of a header is secret by what headers call so."""
        words = words_of(name)
        # Accept-Signature asks for one.
        is_innocent = "".join(words) in self._innocent or not words or words[0] == "accept"
        return self.has(name) or (not is_innocent and (words[-1] in HEADERS or "hmac" in words))

    def is_count(self, name: str, value: str) -> bool:
        """Tell whether a value is only how many there are of what the name says."""
        return _COUNT.fullmatch(value) is not None and not COUNTED.isdisjoint(words_of(name))

    def may_be_in(self, text: str) -> bool:
        """Tell quickly whether a text, in small letters, can have a name of the lists in it, also one like "s_id"."""
        if not text.isascii():
            return True
        # Bytes lose some of them much faster than a text does.
        joined = text.encode().translate(None, _INSIDE_NAMES).decode()
        return any(map(joined.__contains__, self._stems))

    def has_phrase(self, phrase: str) -> bool:
        """Tell whether the last two or three words of a text are one of the names of several words."""
        words = words_of(phrase)
        runs = {"".join(words[-2:]), "".join(words[-3:])} if len(words) > 1 else set()
        return any(not runs.isdisjoint(names) for names in (_ANYWHERE, _WORDS, self._added))

    def _decide(self, words: list[str]) -> bool:
        joined = "".join(words)
        if joined in self._innocent or not joined or joined.endswith(_DETAILS_OF_COUNTS):
            return False
        if joined in _WHOLE or joined in self._added or joined in _ALL_WORDS:
            return True
        if words[-1] in _INNOCENT_ENDINGS or words[0] in _INNOCENT_BEGINNINGS:
            return False
        if any(term in joined for term in _ANYWHERE):
            return True
        return any(_singular(word).endswith(ENDS_OF_WORDS) for word in words) or self._has_word(words)

    def _ends_in_whole(self, name: str) -> bool:
        """Tell whether the last part of a name is secret as a whole name is: "account[pass]", "account.pass"."""
        if "".join(words_of(name)) in self._innocent:
            return False
        front, bracket, last = name[-_LONGEST_NAME:].rstrip("[]0123456789").rpartition("[")
        if bracket and front:
            return self._decide(words_of(last))
        # Attributes in source code have dots too: self.session, request.auth.
        return "." in name and words_of(name.rpartition(".")[2]) == ["pass"] and "pass" not in self._innocent

    def _has_word(self, words: list[str]) -> bool:
        for start in range(len(words)):
            run = ""
            for word in words[start : start + _MOST_WORDS_OF_A_TERM]:
                run += word
                if not {run, _singular(run)}.isdisjoint(_WORDS) or not {run, _singular(run)}.isdisjoint(self._added):
                    return True
        return False


def is_code_of_oauth(names: Container[str], code: str, state: str) -> bool:
    """Tell whether the value of `code` is one of OAuth, by the names beside it, or by the state that it came with."""
    has_companion = any(name in names for name in BESIDE_CODE) or _STATE.fullmatch(state) is not None
    return has_companion and _CODE.fullmatch(code) is not None


def _without_percent_signs(name: str) -> str | None:
    """Decode a name as often as it was encoded; None for one that hides itself behind more codes than anybody needs."""
    for _ in range(_MOST_DECODINGS):
        decoded = unquote(name)
        if decoded == name:
            return name
        name = decoded
    return None


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _stem(term: str) -> str:
    return next((stem for stem in STEMS if stem in term.lower()), max(words_of(term), key=len, default=""))
