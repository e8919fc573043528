"""A password's hash without the price: for tests that try by the dozen what others measure once."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class Quick(PBKDF2PasswordHasher):
    """One round."""

    algorithm = "quick"
    iterations = 1
