package chart

import "github.com/go-analyze/charts"

// shades are the colours of one look. Every line and mark stands out from the ground and from an outage (3 : 1 at least),
// and stays apart from the others for the colour-blind; TestColours measures both.
type shades struct {
	back, text, faint, outage charts.Color
	line                      [mostSeries]charts.Color
	mark                      [4]charts.Color
}

var (
	onLight = shades{
		back: charts.ColorRGB(255, 255, 255), text: charts.ColorRGB(30, 34, 40),
		faint: charts.ColorRGB(222, 226, 230), outage: charts.ColorRGB(253, 232, 230),
		line: [mostSeries]charts.Color{
			charts.ColorRGB(0, 114, 178), charts.ColorRGB(200, 84, 0), charts.ColorRGB(40, 40, 40),
			charts.ColorRGB(190, 100, 150), charts.ColorRGB(0, 140, 100), charts.ColorRGB(90, 30, 120),
		},
		mark: [4]charts.Color{Note: charts.ColorRGB(96, 102, 110), Failed: charts.ColorRGB(190, 20, 30), Approved: charts.ColorRGB(90, 70, 180), Fixed: charts.ColorRGB(0, 118, 76)},
	}
	onDark = shades{
		back: charts.ColorRGB(26, 29, 33), text: charts.ColorRGB(232, 234, 237),
		faint: charts.ColorRGB(62, 66, 72), outage: charts.ColorRGB(70, 36, 36),
		line: [mostSeries]charts.Color{
			charts.ColorRGB(86, 180, 233), charts.ColorRGB(230, 159, 0), charts.ColorRGB(240, 240, 240),
			charts.ColorRGB(204, 121, 167), charts.ColorRGB(0, 190, 140), charts.ColorRGB(250, 235, 110),
		},
		mark: [4]charts.Color{Note: charts.ColorRGB(170, 176, 184), Failed: charts.ColorRGB(255, 130, 120), Approved: charts.ColorRGB(185, 170, 255), Fixed: charts.ColorRGB(90, 205, 155)},
	}
)

// lineDashes and markDashes tell lines and marks apart without their colours; nil is solid.
var (
	lineDashes = [mostSeries][]float64{nil, {20, 9}, {5, 8}, {24, 8, 5, 8}, {11, 6}, {24, 7, 5, 7, 5, 7}}
	markDashes = [4][]float64{Note: {3, 8}, Failed: nil, Approved: {8, 6}, Fixed: {18, 7}}
)
