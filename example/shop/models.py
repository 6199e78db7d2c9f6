from django.db import models


class Order(models.Model):
    """What somebody bought."""

    customer = models.CharField(max_length=100)
    article = models.CharField(max_length=100)
    amount = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"Order {self.pk}: {self.amount} x {self.article} for {self.customer}"
