module pilotlight.test/testapp

go 1.24.0
