"""Questions from and for other programs: GIFT and Moodle XML come in as files of a bank, banks go out as GIFT and QTI."""
