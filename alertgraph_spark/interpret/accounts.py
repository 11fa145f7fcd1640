r"""One key for one account: `CORP\j.meyer`, `j.meyer@corp.example`, a guest, a distinguished name.

References
----------
https://learn.microsoft.com/azure/sentinel/entities-reference (accounts), .../entra/external-id/user-properties (`#EXT#`)
"""

from __future__ import annotations

import re

GENERIC_ACCOUNTS = frozenset(
    {
        *("system", "local service", "network service", "localservice", "networkservice", "anonymous logon", "iusr"),
        *("window manager", "font driver host", "s-1-5-7", "s-1-5-18", "s-1-5-19", "s-1-5-20"),
        *("administrator", "admin", "root", "guest", "user", "nobody", "everyone", "defaultaccount"),
    }
)
"""Accounts that exist on every machine. Sentinel drops them from its mappings for the same reason:
they would join machines that have nothing to do with each other (azure entities-reference)."""

_EVERYWHERE = frozenset(
    {
        *("nt authority", "nt service", "window manager", "font driver host", "iis apppool", "nt-autorität", "builtin"),
        *("autorite nt", "autorité nt", "autoridad nt", "autoridade nt", "zarządzanie nt", "nt virtual machine"),
    }
)
"""Domains of accounts that Windows makes on every machine (`NT SERVICE\\MSSQLSERVER`, `Window Manager\\DWM-1`)."""

_NO_DOMAIN = frozenset({"", "microsoftaccount", "azuread", "workgroup"})
"""What Windows writes where an account has no domain of its own."""

_NO_NAME = re.compile(r"""[<>|"=;*?&]""")
"""What no account's name may hold, in Windows or elsewhere: a command that somebody typed is no account."""

_DISTINGUISHED = re.compile("^cn=([^,=]+),")
_MANY = re.compile(r"^[^/\\@:]+(?:/[^/\\@:]+){2,}$")
_SEVERAL = re.compile(r"^[^,;]+(?:[,;](?!\s)[^,;]+)+$")
_CLAIM = re.compile(r"^(?:live[.]com#|i:0[^|]{0,8}[|](?:[^|]{1,60}[|])?)")
_DOMAIN = re.compile("dc=([^,]+)")


def without_claim(text: str) -> str:
    """An account without what Entra (`live.com#`) and SharePoint (`i:0#.f|membership|`) write before it."""
    return _CLAIM.sub("", text)


def listed_accounts(text: str) -> list[str]:
    r"""The accounts that a text lists: `a;b`, `a,b` or `a/b/c`. `Meyer, Jens` is one, and so is `CORP/j.meyer`."""
    if _DISTINGUISHED.match(text):
        return [text]
    if _SEVERAL.match(text):
        return re.split("[,;]", text)
    return text.split("/") if _MANY.match(text) else [text]


def account_parts(text: str) -> tuple[str, str]:
    r"""User and domain of an account; the text is in lower case.

    A guest is who he is at home (`john_contoso.example#ext#@fabrikam` is `contoso\john`), and an address behind a domain is
    the address (`MicrosoftAccount\tina@mail.example`).
    """
    last = text.rpartition("\\")[2]
    guest, mark, _ = last.partition("#ext#")
    user, is_guest, home = guest.rpartition("_")
    distinguished = _DISTINGUISHED.match(text)
    if mark and is_guest:
        domain = home
    elif distinguished:
        found = _DOMAIN.search(text)
        user, domain = distinguished.group(1), found.group(1) if found else ""
    else:
        user = last.partition("@")[0]
        domain = last.rpartition("@")[2] if "@" in text else text.partition("\\")[0] if "\\" in text else ""
    return user.strip(" "), domain.partition(".")[0].strip(" ")


def account_key(text: str, placeholders: frozenset[str]) -> str | None:
    """The key of an account; None for one that every machine has. The domain is a label."""
    user, domain = account_parts(text)
    if user in GENERIC_ACCOUNTS or user in placeholders or domain in _EVERYWHERE or _NO_NAME.search(user):
        return None
    if domain in _NO_DOMAIN or domain in placeholders:
        return f"account:{user}"
    return f"account:{domain}\\{user}"
