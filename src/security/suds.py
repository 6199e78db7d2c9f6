"""The SOAP client suds, recording what it sends (published section "suds")."""

from security.sources.output_requests.suds_transport import Client, SecurityRequestsTransport

__all__ = ["Client", "SecurityRequestsTransport"]
