"""A customer service for the demo to call: a few made-up people behind a bearer token. Served under DEBUG only."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from routing.demo import API_SECRET

CUSTOMERS = {
    "c-1001": {"id": "c-1001", "name": "Ann Lee", "city": "Berlin", "phone": "+4930123456"},
    "c-1002": {"id": "c-1002", "name": "Ben Ochieng", "city": "Nairobi", "phone": "+254201234567"},
}


@require_GET
def customer(request: HttpRequest, customer_id: str) -> JsonResponse:
    """A customer as JSON, or 404."""
    if request.headers.get("Authorization") != f"Bearer {API_SECRET}":
        return JsonResponse({"error": "The token is missing or wrong."}, status=401)
    found = CUSTOMERS.get(customer_id)
    if found is None:
        return JsonResponse({"error": "There is no such customer."}, status=404)
    return JsonResponse(found)
