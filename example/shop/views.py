"""The pages of the shop, and its API."""

import csv
import io
import json

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from security import requests
from security.decorators import hide_request_body, log_exempt, throttling
from security.throttling import PerRequestThrottlingValidator

from .models import Order


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/home.html", {"orders": Order.objects.order_by("-pk")[:20]})


def order(request: HttpRequest, pk: int) -> JsonResponse:
    found = get_object_or_404(Order, pk=pk)
    # The log is found again by the order: get_logs_related_with_object("input-request", order)
    request.input_logged_request.add_related_objects(found)  # type: ignore[attr-defined]
    return JsonResponse({"id": found.pk, "article": found.article, "amount": found.amount})


def price(request: HttpRequest, pk: int) -> JsonResponse:
    found = get_object_or_404(Order, pk=pk)
    request.input_logged_request.add_related_objects(found)  # type: ignore[attr-defined]
    # Recorded as well, as a child of the request to this view.
    answer = requests.get(
        f"{settings.SHOP_BANK}/rates/",
        headers={"Authorization": f"Bearer {settings.SHOP_BANK_KEY}"},
        slug="rates",
        related_objects=[found],
        timeout=10,
    )
    return JsonResponse({"id": found.pk, "CZK": 10 * found.amount * answer.json()["CZK"]})


# Who searches more often than that is answered by 429, and the view does not run.
@throttling(PerRequestThrottlingValidator(60, 3, "Three searches a minute are enough."))
def search(request: HttpRequest) -> JsonResponse:
    found = Order.objects.filter(article__icontains=request.GET.get("article", ""))
    return JsonResponse({"orders": list(found.values_list("pk", flat=True))})


@csrf_exempt
@require_POST
def create_order(request: HttpRequest) -> JsonResponse:
    asked = json.loads(request.body)
    created = Order.objects.create(customer=asked["customer"], article=asked["article"], amount=asked.get("amount", 1))
    record = request.input_logged_request  # type: ignore[attr-defined]
    record.set_slug("order-created")
    record.add_related_objects(created)
    return JsonResponse({"id": created.pk, "token": "a-token-for-the-customer"}, status=201)


@csrf_exempt
@require_POST
def import_orders(request: HttpRequest) -> JsonResponse:
    rows = list(csv.DictReader(io.TextIOWrapper(request.FILES["orders"], "utf-8")))  # type: ignore[arg-type]
    Order.objects.bulk_create(Order(**row) for row in rows)
    request.input_logged_request.update_extra_data({"imported": len(rows)})  # type: ignore[attr-defined]
    return JsonResponse({"imported": len(rows)})


def checkout(request: HttpRequest) -> HttpResponse:
    payment = {"amount": 40, "card_number": "4111 1111 1111 1111"}
    answer = requests.post(f"{settings.SHOP_BANK}/payments/", json=payment, slug="payment", timeout=10)
    if not answer.ok:
        raise RuntimeError(f"The bank does not take the payment: {answer.json()['detail']}")
    return HttpResponse("Thank you.")


@csrf_exempt
@require_POST
@hide_request_body
def medical_note(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{len(request.body)} bytes are kept, and none of them is logged.")


@login_required
def account(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello, {request.user}.")


@log_exempt
def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")
