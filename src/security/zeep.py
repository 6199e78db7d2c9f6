"""Transports of the SOAP client zeep, recording what it sends."""

from security.sources.output_requests.zeep_transport import AsyncTransport, Transport

__all__ = ["AsyncTransport", "Transport"]
