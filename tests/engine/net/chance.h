/* chance.h - how likely it is that counts come from a law.
 *
 * The tests draw from fixed seeds, so they say the same every time. */
#ifndef DID_TESTS_CHANCE_H
#define DID_TESTS_CHANCE_H

#include <math.h>

/* The probability of a chi-square at least this large with `df` degrees of freedom: the upper
 * incomplete gamma function, by series below its bulk and by continued fraction above. */
static inline double chance_above(double chi_square, int df)
{
    double a = df / 2.0, x = chi_square / 2, front = exp(a * log(x) - x - lgamma(a));
    if (x <= 0) return 1;
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int n = 1; term > sum * 1e-15; n++) sum += term *= x / (a + n);
        return 1 - front * sum;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int n = 1; n < 10000; n++) {
        double an = -n * (n - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return front * h;
}

/* How well counts[n] agree with expected[n] (both with the same total). */
static inline double chance_of(const int *counts, const double *expected, int n)
{
    double chi = 0;
    for (int i = 0; i < n; i++)
        chi += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
    return chance_above(chi, n - 1);
}

/* The same where all are expected alike. */
static inline double chance_uniform(const int *counts, int n)
{
    double total = 0, chi = 0;
    for (int i = 0; i < n; i++) total += counts[i];
    for (int i = 0; i < n; i++) chi += (counts[i] - total / n) * (counts[i] - total / n);
    return chance_above(chi * n / total, n - 1);
}

#endif
