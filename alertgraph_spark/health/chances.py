"""How unlikely by chance what a source does is, in nats: minus the logarithm of a probability, or of a bound above it."""

from __future__ import annotations

import math


def flood_nats(n: int, usual: float, dispersion: float) -> float:
    """How unlikely n alerts or more in an hour are where `usual` are expected; 0 where there are no more than that.

    Counts are taken as negative binomial, with variance `usual + dispersion * usual**2`; without dispersion as Poisson.

    Notes
    -----
    Chernoff's bound, P(N >= n) <= exp(-nats), so that what is called unlikely is so at the least. With r = 1 / dispersion and
    m = usual: n ln(n / m) - (n + r) ln((n + r) / (m + r)), and n ln(n / m) - n + m in the limit. H. Chernoff, A measure of
    asymptotic efficiency (1952). Counts against the same weeks of the past, with overdispersion: C. P. Farrington and
    others, A statistical algorithm for the early detection of outbreaks of infectious disease (1996).

    Examples
    --------
    >>> round(flood_nats(20, 10, 0), 2), round(flood_nats(20, 10, 0.5), 2), flood_nats(5, 10, 0)
    (3.86, 0.52, 0.0)
    """
    if n <= usual:
        return 0.0
    if dispersion < 1e-9:
        return n * math.log(n / usual) - n + usual
    r = 1 / dispersion
    return n * math.log(n / usual) - (n + r) * math.log((n + r) / (usual + r))


def refusal_nats(n_refused: int, n_lines: int, usual_share: float) -> float:
    """How unlikely so many refused lines or more are where each is refused with `usual_share`, in (0, 1).

    Notes
    -----
    Chernoff's bound of the binomial tail: n times the divergence of the share from the usual one, `s ln(s / p) + (1 - s)
    ln((1 - s) / (1 - p))`. W. Hoeffding, Probability inequalities for sums of bounded random variables (1963), theorem 1.

    Examples
    --------
    >>> round(refusal_nats(10, 10, 0.5), 2), refusal_nats(1, 10, 0.5)
    (6.93, 0.0)
    """
    share = n_refused / max(n_lines, 1)
    if share <= usual_share:
        return 0.0
    rest = (1 - share) * math.log((1 - share) / (1 - usual_share)) if share < 1 else 0.0
    return n_lines * (share * math.log(share / usual_share) + rest)


def past_refused_share(n_refused: int, n_lines: int) -> float:
    """Share of lines to be expected refused after a past with so many of them, never 0 nor 1.

    Notes
    -----
    (k + 1) / (n + 2), Laplace's rule of succession: Essai philosophique sur les probabilités (1814). Without a past it is a
    half, so that only a source of which nearly all is refused stands out.
    """
    return (n_refused + 1) / (n_lines + 2)
