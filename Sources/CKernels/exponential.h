// The exponential and what is made of it, in double, for vectors of DOUBLES: LANES(name) is a function's
// name for as many. Included by function.h once for each width, hence without a guard.

INLINE DOUBLES LANES(infinity)(void) { return LANES(all)(__builtin_inf()); }

// Horner's rule, highest power first.
INLINE DOUBLES LANES(polynomial)(DOUBLES x, const double *terms, int count) {
  DOUBLES sum = LANES(all)(terms[0]);
#pragma clang loop unroll(full)
  for (int i = 1; i < count; i++) sum = LANES(fma)(sum, x, LANES(all)(terms[i]));
  return sum;
}

// ---- exponentials ----

// x = n ln 2 + r, |r| <= ln 2 / 2.
typedef struct {
  DOUBLES power;  // 2^n
  DOUBLES rest;   // e^r - 1
} LANES(exp_in_parts);

INLINE LANES(exp_in_parts) LANES(exp_from_parts)(DOUBLES shifted, DOUBLES r) {
  // 1/12!, 1/11!, ... 1/2!
  static const double terms[] = {2.08767569878681e-09,
                                 2.505210838544172e-08,
                                 2.755731922398589e-07,
                                 2.7557319223985893e-06,
                                 2.48015873015873e-05,
                                 1.984126984126984e-04,
                                 1.3888888888888889e-03,
                                 8.333333333333333e-03,
                                 4.1666666666666664e-02,
                                 1.6666666666666666e-01,
                                 0.5};
  const DOUBLES rest = LANES(fma)(r * r, POLYNOMIAL(r, terms), r);
  // The integer n stands in the low bits of the shifted value.
  const DOUBLES power = (DOUBLES)(((DOUBLES_BITS)shifted + 1023) << 52);
  return (LANES(exp_in_parts)){power, rest};
}

INLINE LANES(exp_in_parts) LANES(exp_parts)(DOUBLES x) {
  const DOUBLES lowest = LANES(all)(exp_lowest), highest = LANES(all)(exp_highest);
  x = LANES(select)(x < exp_lowest, lowest, LANES(select)(x > exp_highest, highest, x));
  const DOUBLES shifted = LANES(fma)(x, LANES(all)(0x1.71547652b82fep+0), LANES(all)(exp_shift));
  const DOUBLES n = shifted - exp_shift;
  DOUBLES r = LANES(fma)(n, LANES(all)(-0x1.62e42fefa39efp-1), x);
  r = LANES(fma)(n, LANES(all)(-0x1.abc9e3b39803fp-56), r);
  return LANES(exp_from_parts)(shifted, r);
}

// Below e^-708 nothing is left in fp32: 0.
INLINE DOUBLES LANES(exp)(DOUBLES x) {
  const LANES(exp_in_parts) parts = LANES(exp_parts)(x);
  const DOUBLES inner = LANES(fma)(parts.power, parts.rest, parts.power);
  const DOUBLES held = LANES(select)(x > exp_highest, LANES(infinity)(), inner);
  return LANES(select)(x < exp_lowest, LANES(all)(0), held);
}

// E / (E + 2) with E = e^2|x| - 1, which loses nothing near 0.
INLINE DOUBLES LANES(tanh)(DOUBLES x) {
  DOUBLES twice = 2 * LANES(abs)(x);
  twice = LANES(select)(twice > 80, LANES(all)(80), twice);
  const LANES(exp_in_parts) parts = LANES(exp_parts)(twice);
  const DOUBLES e = LANES(fma)(parts.power, parts.rest, parts.power - 1);
  return LANES(sign_of)(e / (e + 2), x);
}

INLINE DOUBLES LANES(sigmoid)(DOUBLES x) { return 1 / (1 + LANES(exp)(-x)); }
INLINE DOUBLES LANES(silu)(DOUBLES x) { return x * LANES(sigmoid)(x); }
INLINE DOUBLES LANES(gelu_sigmoid)(DOUBLES x) { return x * LANES(sigmoid)(1.702 * x); }
// x (1 + tanh u) / 2 = x sigmoid(2u).
INLINE DOUBLES LANES(gelu_tanh)(DOUBLES x) {
  const DOUBLES u = x * LANES(fma)(x * x, LANES(all)(0.044715), LANES(all)(1));
  return x * LANES(sigmoid)(u * (2 * 0.79788456080286535588));
}

// ---- the error function ----

// e^(z^2) erfc(z) (1 + 2z) as a polynomial of (z - 2) / (z + 2), for 0 <= z <= 12, where erfc
// leaves fp32.
INLINE DOUBLES LANES(erfc_positive)(DOUBLES z) {
  static const double terms[] = {
      -9.8131811631435146e-8, -4.9401423716938729e-7, -6.5740744856957378e-7,
      1.1998868709219292e-6,  5.0562897518467332e-6,  3.8410208690973216e-6,
      -1.3366967959562301e-5, -3.6446672282201524e-5, -1.5574408783304974e-6,
      0.00015103748609482661, 0.00020637741341492901, -0.00045433932490468967,
      -0.0014568151812060438, 0.0012713387029176044,  0.0087226539528155607,
      -0.008034015062465339,  -0.054220000993979377,  0.16405128003282169,
      -0.16603039761528407,   -0.092763826585740723,  1.2769783815525288};
  const DOUBLES held = LANES(select)(z > 12, LANES(all)(12), z);
  const DOUBLES scaled = POLYNOMIAL((held - 2) / (held + 2), terms) / (1 + 2 * held);
  return scaled * LANES(exp)(-z * z);
}
INLINE DOUBLES LANES(erfc)(DOUBLES x) {
  const DOUBLES tail = LANES(erfc_positive)(LANES(abs)(x));
  return LANES(select)(x < 0, 2 - tail, tail);
}
INLINE DOUBLES LANES(erf)(DOUBLES x) {
  // erf(x) / x as a polynomial of x^2, for |x| <= 1.
  static const double terms[] = {
      9.4285969568341643e-9,  -1.5188281247335167e-7, 1.6310356513871741e-6,
      -1.4913300906316396e-5, 0.00012054681918310599, -0.00085483048717827406,
      0.0052239771541053047,  -0.026866170586496872,  0.11283791670580422,
      -0.376126389031744,     1.1283791670955122};
  const DOUBLES small = x * POLYNOMIAL(x * x, terms);
  const DOUBLES large = LANES(sign_of)(1 - LANES(erfc_positive)(LANES(abs)(x)), x);
  return LANES(select)(LANES(abs)(x) <= 1, small, large);
}
INLINE DOUBLES LANES(gelu_exact)(DOUBLES x) {
  return x * (0.5 * LANES(erfc)(x * -0.70710678118654752440));
}

#undef DOUBLES
#undef DOUBLES_BITS
#undef LANES
