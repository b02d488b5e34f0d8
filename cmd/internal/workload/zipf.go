package workload

import "math"

// zipf samples ranks 0..n-1 with P(k) ~ 1/(k+1)^e exactly, by rejection inversion
// (Hoermann and Derflinger 1996), which unlike math/rand.Zipf works for every
// exponent, below, at and above 1. Floating point makes its output reproducible
// per architecture only.
//
// hIntegral is an antiderivative of h(x) = x^-e, written with expm1 and log1p so
// that it is also right at and near e == 1.
type zipf struct {
	n            int64
	e            float64
	hIntegralX1  float64
	hIntegralN   float64
	acceptMargin float64
}

func newZipf(n int64, e float64) *zipf {
	z := &zipf{n: n, e: e}
	z.hIntegralX1 = z.hIntegral(1.5) - 1
	z.hIntegralN = z.hIntegral(float64(n) + 0.5)
	z.acceptMargin = 2 - z.hIntegralInverse(z.hIntegral(2.5)-z.h(2))
	return z
}

func (z *zipf) next(r *rng) int64 {
	for {
		u := z.hIntegralN + r.float64()*(z.hIntegralX1-z.hIntegralN)
		x := z.hIntegralInverse(u)
		k := min(max(int64(x+0.5), 1), z.n)
		if float64(k)-x <= z.acceptMargin || u >= z.hIntegral(float64(k)+0.5)-z.h(float64(k)) {
			return k - 1
		}
	}
}

func (z *zipf) h(x float64) float64 { return math.Exp(-z.e * math.Log(x)) }

func (z *zipf) hIntegral(x float64) float64 {
	l := math.Log(x)
	return l * expm1Over((1-z.e)*l)
}

func (z *zipf) hIntegralInverse(x float64) float64 {
	t := max(x*(1-z.e), -1)
	return math.Exp(x * log1pOver(t))
}

// expm1Over is (e^x - 1) / x, 1 at 0.
func expm1Over(x float64) float64 {
	if math.Abs(x) < 1e-8 {
		return 1 + x/2
	}
	return math.Expm1(x) / x
}

// log1pOver is log(1 + x) / x, 1 at 0.
func log1pOver(x float64) float64 {
	if math.Abs(x) < 1e-8 {
		return 1 - x/2
	}
	return math.Log1p(x) / x
}
