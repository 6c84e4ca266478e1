"""log p of a pixel under every kind of head: the formulas as they stand in the papers, in decimals of 40 digits.

Decimals neither overflow nor underflow, so that no formula has to be rearranged.
"""

import math
from decimal import Context, Decimal, localcontext
from typing import Any

PI = Decimal("3.141592653589793238462643383279502884197")
CONTEXT = Context(prec=40, Emin=-(10**15), Emax=10**15)


def head_log_prob(
    kind: str, num_levels: int, inputs: list[list[float]], constants: list[Any], x: list[float]
) -> list[float]:
    """Nats of each channel of x given those before it."""
    if kind == "bernoulli":
        logit = inputs[0][0] if x[0] else -inputs[0][0]
        return [-math.log1p(math.exp(-logit)) if logit > 0 else logit - math.log1p(math.exp(logit))]
    with localcontext(CONTEXT):
        if kind == "categorical":
            terms = [Decimal(v).exp() for v in inputs[0]]
            return [float((terms[int(x[0])] / sum(terms)).ln())]
        if kind == "logistic_mixture":
            return logistic_mixture([Decimal(v) for v in inputs[0]], [int(v) for v in x], num_levels)
        h, (m, q) = ([Decimal(v) for v in line] for line in inputs)
        return [float(mcgsm(h, m, q, constants, Decimal(x[0])).ln())]


def sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def tanh(z: Decimal) -> Decimal:
    return 2 * sigmoid(2 * z) - 1


def logistic_mixture(parameters: list[Decimal], x: list[int], num_levels: int) -> list[float]:
    num_components = len(parameters) // {1: 3, 3: 10}[len(x)]
    rows = [parameters[k : k + num_components] for k in range(0, len(parameters), num_components)]
    prior = [z.exp() for z in rows[0]]
    joint = [p / sum(prior) for p in prior]
    place = [Decimal(2 * v) / (num_levels - 1) - 1 for v in x]
    result = []
    for c in range(len(x)):
        before = sum(joint)
        for k in range(num_components):
            if len(x) == 1:
                mean, log_scale = rows[1][k], rows[2][k]
            else:
                mean, log_scale = rows[1 + 3 * c][k], rows[2 + 3 * c][k]
                if c == 1:
                    mean += tanh(rows[3][k]) * place[0]
                if c == 2:
                    mean += tanh(rows[6][k]) * place[0] + tanh(rows[9][k]) * place[1]
            joint[k] *= bin_mass(place[c], mean, max(log_scale, Decimal(-7)).exp(), num_levels)
        result.append(float((sum(joint, Decimal(0)) / before).ln()))
    return result


def bin_mass(x: Decimal, mean: Decimal, scale: Decimal, num_levels: int) -> Decimal:
    half = Decimal(1) / (num_levels - 1)
    if x < -1 + half:
        return sigmoid((x + half - mean) / scale)
    if x > 1 - half:
        return sigmoid((mean - x + half) / scale)
    if x > mean:  # the same on the other tail, where small masses keep their digits
        x, mean = -x, -mean
    return sigmoid((x + half - mean) / scale) - sigmoid((x - half - mean) / scale)


def mcgsm(h: list[Decimal], m: Decimal, q: Decimal, constants: list[Any], x: Decimal) -> Decimal:
    eta, alpha, beta, b, w, a = ([[Decimal(v) for v in row] for row in matrix] for matrix in constants[:6])
    factors = [Decimal(v) for v in constants[6]]
    pairs = [(c, s) for c in range(len(eta)) for s in range(len(eta[0]))]
    y = (x - m) / q.exp()
    gate = {}
    for c, s in pairs:
        energy = sum(beta[c][n] ** 2 * dot(b[n], h) ** 2 for n in range(len(b)))
        precision = alpha[c][s].exp()
        gate[c, s] = (eta[c][s] - precision * energy / 2 + precision * dot(w[c], h)).exp()
    density = Decimal(0)
    for c, s in pairs:
        precision = alpha[c][s].exp() * factors[c] ** 2
        residual = y - dot(a[c], h)
        expert = (precision / (2 * PI)).sqrt() * (-precision * residual**2 / 2).exp()
        density += gate[c, s] / sum(gate.values()) * expert
    return density / q.exp()


def dot(u: list[Decimal], v: list[Decimal]) -> Decimal:
    return sum((s * t for s, t in zip(u, v, strict=True)), Decimal(0))
