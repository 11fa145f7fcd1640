r"""One key for one account: `CORP\j.meyer`, `j.meyer@corp.example`, a guest, a distinguished name, as SQL.

References
----------
https://learn.microsoft.com/azure/sentinel/entities-reference (accounts), .../entra/external-id/user-properties (`#EXT#`)
"""

from __future__ import annotations

from alertgraph_spark.normalise.columns import sql_text

GENERIC_ACCOUNTS = (
    *("system", "local service", "network service", "localservice", "networkservice", "anonymous logon", "iusr"),
    *("window manager", "font driver host", "s-1-5-7", "s-1-5-18", "s-1-5-19", "s-1-5-20"),
    *("administrator", "admin", "root", "guest", "user", "nobody", "everyone", "defaultaccount"),
)
"""Accounts that exist on every machine. Sentinel drops them from its mappings for the same reason:
they would join machines that have nothing to do with each other (azure entities-reference)."""

_EVERYWHERE = (
    *("nt authority", "nt service", "window manager", "font driver host", "iis apppool", "nt-autorität", "builtin"),
    *("autorite nt", "autorité nt", "autoridad nt", "autoridade nt", "zarządzanie nt", "nt virtual machine"),
)
"""Domains of accounts that Windows makes on every machine (`NT SERVICE\\MSSQLSERVER`, `Window Manager\\DWM-1`)."""

_NO_DOMAIN = ("microsoftaccount", "azuread", "workgroup")
"""What Windows writes where an account has no domain of its own."""

_GENERIC, _OF_ALL, _NONE = (", ".join(map(sql_text, words)) for words in (GENERIC_ACCOUNTS, _EVERYWHERE, _NO_DOMAIN))

_NO_NAME = r"""[<>|"=;*?&]"""
"""What no account's name may hold, in Windows or elsewhere: a command that somebody typed is no account."""

_DISTINGUISHED = "^cn=([^,=]+),"
_MANY = r"^[^/\\@:]++(?:/[^/\\@:]++){2,}+$"
_SEVERAL = r"^[^,;]++(?:[,;](?!\s)[^,;]++)++$"


_CLAIM = r"^(?:live[.]com#|i:0[^|]{0,8}[|](?:[^|]{1,60}[|])?)"


def without_claim(text: str) -> str:
    """SQL for an account without what Entra (`live.com#`) and SharePoint (`i:0#.f|membership|`) write before it."""
    is_claim = f"startswith({text}, 'live.com#') or startswith({text}, 'i:0')"
    return f"if({is_claim}, regexp_replace({text}, r'{_CLAIM}', ''), {text})"


def listed_accounts(text: str) -> str:
    r"""SQL for the accounts that a text lists: `a;b`, `a,b` or `a/b/c`. `Meyer, Jens` is one, and so is `CORP/j.meyer`."""
    return (
        f"case when {text} rlike '{_DISTINGUISHED}' then array({text})"
        f" when {text} rlike r'{_SEVERAL}' then split({text}, '[,;]')"
        f" when {text} rlike r'{_MANY}' then split({text}, '/') else array({text}) end"
    )


def account_parts(text: str) -> str:
    r"""SQL for user and domain of an account as `struct<user,domain>`; `text` is a name for a text in lower case.

    A guest is who he is at home (`john_contoso.example#ext#@fabrikam` is `contoso\john`), and an address behind a domain is
    the address (`MicrosoftAccount\tina@mail.example`).
    """
    mark = sql_text("\\")
    last = f"substring_index({text}, {mark}, -1)"
    guest = f"substring_index({last}, '#ext#', 1)"
    home = f"substring_index({guest}, '_', -1)"
    user = (
        f"case when contains({text}, '#ext#') and contains({guest}, '_') then"
        f" left({guest}, length({guest}) - length({home}) - 1)"
        f" when {text} rlike '{_DISTINGUISHED}' then regexp_extract({text}, '{_DISTINGUISHED}', 1)"
        f" else substring_index({last}, '@', 1) end"
    )
    domain = (
        f"case when contains({text}, '#ext#') and contains({guest}, '_') then {home}"
        f" when {text} rlike '{_DISTINGUISHED}' then regexp_extract({text}, 'dc=([^,]+)', 1)"
        f" when contains({text}, '@') then substring_index({last}, '@', -1)"
        f" when contains({text}, {mark}) then substring_index({text}, {mark}, 1) else '' end"
    )
    return f"struct(trim({user}) as user, trim(substring_index({domain}, '.', 1)) as domain)"


def account_key(parts: str, placeholders: str) -> str:
    """SQL for the key of what `account_parts` gives; null for an account that every machine has. The domain is a label."""
    mark = sql_text("\\")
    user, domain = f"{parts}.user", f"{parts}.domain"
    return (
        f"case when {user} in ({_GENERIC}, {placeholders}) or {domain} in ({_OF_ALL}) or {user} rlike '{_NO_NAME}' then null"
        f" when {domain} in ({_NONE}, {placeholders}) then concat('account:', {user})"
        f" else concat('account:', {domain}, {mark}, {user}) end"
    )
