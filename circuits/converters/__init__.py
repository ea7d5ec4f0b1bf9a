"""Charge-to-pulse converters: benches in ``_benches``, models in ``_models``, studies and pictures in ``_page``."""
