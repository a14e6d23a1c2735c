"""The compiler: load, link, choose, render, fit. `build` alone knows the other stages."""
