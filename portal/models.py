"""Every table, imported in one place so that migrations and tests see them all."""

from portal.channels.push import models as push
from portal.channels.sms import models as sms
from portal.channels.speakers import models as speakers
from portal.core import audit
from portal.core.db import Base
from portal.dispatch import models as dispatch
from portal.identity import models as identity
from portal.regions import models as regions
from portal.reports import models as reports
from portal.shelters import models as shelters
from portal.subscribers import models as subscribers
from portal.training import certificate_models as certificates
from portal.training import exam_models as exams
from portal.training import group_models as groups
from portal.training import models as training
from portal.training import practical_models as practicals
from portal.warnings import models as warnings

__all__ = ["Base", "audit", "certificates", "dispatch", "exams", "groups", "identity", "practicals", "push", "regions", "reports",
           "shelters", "sms", "speakers", "subscribers", "training", "warnings"]
