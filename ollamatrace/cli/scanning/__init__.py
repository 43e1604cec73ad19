"""What `ollamatrace privacy-scan` does: look for what must not be in stores and spools."""
