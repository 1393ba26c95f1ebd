// The exponential in fp32, for vectors of FLOATS: LANES(name) is a function's name for as many. Included by
// function.h once for each width, hence without a guard.

typedef struct {
  FLOATS fraction;  // e^x = fraction 2^power
  FLOATS_BITS power;
} LANES(float_exp_parts);

INLINE LANES(float_exp_parts) LANES(float_exp_in_parts)(FLOATS x) {
  const FLOATS shifted = LANES(fma)(x, LANES(all)(0x1.715476p+0f), LANES(all)(0x1.8p23f));
  const FLOATS n = shifted - 0x1.8p23f;
  FLOATS r = LANES(fma)(n, LANES(all)(-0x1.62e400p-1f), x);
  r = LANES(fma)(n, LANES(all)(-0x1.7f7d1cp-20f), r);
  FLOATS sum = LANES(fma)(LANES(all)(0.00139263256f), r, LANES(all)(0.00836329275f));
  sum = LANES(fma)(sum, r, LANES(all)(0.0416665538f));
  sum = LANES(fma)(sum, r, LANES(all)(0.166665763f));
  sum = LANES(fma)(sum, r, LANES(all)(0.5f));
  return (LANES(float_exp_parts)){LANES(fma)(r * r, sum, r) + 1, (FLOATS_BITS)shifted - 0x4b400000};
}

// For x <= 0, to less than 1 unit in the last place; 0 where e^x is nearly no normal number any
// more. Lanes with nothing left compute e^0, as multiplications that underflow are slow.
INLINE FLOATS LANES(exp_weight)(FLOATS x) {
  const FLOATS_BITS gone = x < -87;
  const LANES(float_exp_parts) parts = LANES(float_exp_in_parts)(LANES(select)(gone, LANES(all)(0), x));
  const FLOATS scale = (FLOATS)((parts.power + 127) << 23);
  return (FLOATS)(~gone & (FLOATS_BITS)(parts.fraction * scale));
}

#undef FLOATS
#undef FLOATS_BITS
#undef LANES
