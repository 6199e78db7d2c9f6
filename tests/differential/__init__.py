"""A site without and with the middleware, compared byte for byte."""
