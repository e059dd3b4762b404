package webhook

import (
	"fmt"
	"math/big"
	"slices"
)

// checkPoint refuses 32 bytes that are no usable ed25519 public key: those that are no point of the curve, for which no
// signature would ever match, and the few points of small order, for which anyone can make signatures. 32 zero bytes, as
// a setting that nobody filled in decodes to, are such a point. (RFC 8032, 5.1; crypto/ed25519 has no such check.)
func checkPoint(key []byte) error {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	mod := func(z *big.Int) *big.Int { return z.Mod(z, p) }
	quotient := func(u, v *big.Int) *big.Int { return mod(new(big.Int).Mul(u, new(big.Int).ModInverse(v, p))) }
	one := big.NewInt(1)
	// The curve is -x² + y² = 1 + d·x²·y², with d = -121665/121666.
	d := quotient(big.NewInt(-121665), big.NewInt(121666))

	raw := slices.Clone(key)
	slices.Reverse(raw) // it is little-endian, with the sign of x in the highest bit
	raw[0] &= 0x7f
	y := mod(new(big.Int).SetBytes(raw))

	// x² = (y² - 1) / (d·y² + 1); the divisor is never zero, because -1/d is no square.
	xSquared := func(y *big.Int) *big.Int {
		yy := new(big.Int).Mul(y, y)
		return quotient(new(big.Int).Sub(yy, one), mod(new(big.Int).Add(new(big.Int).Mul(d, yy), one)))
	}
	xx := xSquared(y)
	if big.Jacobi(xx, p) < 0 {
		return fmt.Errorf("%w: these bytes are no ed25519 public key", ErrInvalidSecret)
	}
	// Doubling three times is multiplying by 8, the cofactor, and turns a point of small order into the neutral one (0, 1).
	// The y of a doubled point needs x² only: (y² + x²) / (1 - d·x²·y²).
	for range 3 {
		xx = xSquared(y)
		yy := new(big.Int).Mul(y, y)
		product := mod(new(big.Int).Mul(d, new(big.Int).Mul(xx, yy)))
		y = quotient(mod(new(big.Int).Add(yy, xx)), mod(new(big.Int).Sub(one, product)))
	}
	if y.Cmp(one) == 0 {
		return fmt.Errorf("%w: anyone can sign for this public key", ErrInvalidSecret)
	}
	return nil
}
