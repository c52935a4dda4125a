package diagnosis

var samples []struct{ trace string }
