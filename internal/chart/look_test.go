package chart

import (
	"math"
	"testing"

	"github.com/go-analyze/charts"
)

// linear is a colour as light.
func linear(c charts.Color) [3]float64 {
	var out [3]float64
	for i, v := range []uint8{c.R, c.G, c.B} {
		s := float64(v) / 255
		if out[i] = s / 12.92; s > 0.04045 {
			out[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return out
}

func times(m [3][3]float64, v [3]float64) [3]float64 {
	var out [3]float64
	for i, row := range m {
		out[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return out
}

// contrast as WCAG 2 defines it.
func contrast(a, b charts.Color) float64 {
	light := func(c charts.Color) float64 { l := linear(c); return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2] + 0.05 }
	return max(light(a), light(b)) / min(light(a), light(b))
}

// eyes are how people see colours: matrices on light for whole blindness (Machado, Oliveira and Fernandes, 2009).
var eyes = map[string][3][3]float64{
	"all cones":    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// apart is how different two colours look, as the distance in CIE Lab.
func apart(eye [3][3]float64, a, b charts.Color) float64 {
	p, q := lab(times(eye, linear(a))), lab(times(eye, linear(b)))
	return math.Sqrt((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2]))
}

func lab(light [3]float64) [3]float64 {
	xyz := times([3][3]float64{{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}}, light)
	f := func(v float64) float64 {
		if v > 0.008856 {
			return math.Cbrt(v)
		}
		return 7.787*v + 16.0/116
	}
	x, y, z := f(xyz[0]/0.9505), f(xyz[1]), f(xyz[2]/1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func TestColours(t *testing.T) {
	const leastContrast, leastApart = 3, 12
	for name, look := range map[string]shades{"light": onLight, "dark": onDark} {
		for _, c := range append(look.line[:], look.mark[:]...) {
			for _, ground := range []charts.Color{look.back, look.outage} {
				if got := contrast(c, ground); got < leastContrast {
					t.Errorf("%s: %v on %v: contrast %.1f, want %d at least", name, c, ground, got, leastContrast)
				}
			}
		}
		for eye, matrix := range eyes {
			for i, a := range look.line {
				for _, b := range look.line[:i] {
					if got := apart(matrix, a, b); got < leastApart {
						t.Errorf("%s, %s: %v and %v are %.1f apart, want %d at least", name, eye, a, b, got, leastApart)
					}
				}
			}
		}
	}
}
